// softMain.cpp calls this function, which Base's own make generates from the
// dbd file. Asking Base to look every symbol up by name does the same without
// a generator; it needs whole archives and an executable that exports them.

#include <cstdio>

#include "dbBase.h"
#include "iocshRegisterCommon.h"

extern "C" int softIoc_registerRecordDeviceDriver(struct dbBase *database)
{
    iocshRegisterCommon();
    return registerAllRecordDeviceDrivers(database);
}

// Into a pipe the C library writes by blocks: what the IOC said before it hung
// or was killed would be lost. Runs before main.
static const int written_line_by_line = setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
