// The softIoc of an installed EPICS Base, which brings libraries but not the
// source of its own softIoc: device support of ours has to be linked in. Does
// what Base's softMain.cpp does with the only arguments that it is given here.

#include <cstdio>
#include <cstring>

#include "dbAccess.h"
#include "epicsExit.h"
#include "iocsh.h"

extern "C" int softIoc_registerRecordDeviceDriver(struct dbBase *database);

int main(int argc, char **argv)
{
    if (argc != 3 || std::strcmp(argv[1], "-D") != 0) {
        std::fprintf(stderr, "usage: %s -D softIoc.dbd\n", argv[0]);
        return 2;
    }
    if (dbLoadDatabase(argv[2], nullptr, nullptr) || softIoc_registerRecordDeviceDriver(pdbbase)) {
        std::fprintf(stderr, "error: cannot load %s\n", argv[2]);
        epicsExit(2);
    }
    epicsExit(iocsh(nullptr) ? 1 : 0);
    return 0;
}
