// softMain.cpp calls this function, which Base's own make generates from the
// dbd file. Asking Base to look every symbol up by name does the same without
// a generator; it needs whole archives and an executable that exports them.

#include <cstdio>

#include "dbBase.h"
#include "iocsh.h"
#include "iocshRegisterCommon.h"

extern "C" int softIoc_registerRecordDeviceDriver(struct dbBase *database)
{
    iocshRegisterCommon();
    return registerAllRecordDeviceDrivers(database);
}

// Scripts call it by this name too, as that of every IOC application.
static const iocshArg database_argument = {"pdbbase", iocshArgPdbbase};
static const iocshArg *const register_arguments[] = {&database_argument};
static const iocshFuncDef register_definition = {"softIoc_registerRecordDeviceDriver", 1,
                                                 register_arguments};

static void call_register(const iocshArgBuf *arguments)
{
    softIoc_registerRecordDeviceDriver(static_cast<struct dbBase *>(arguments[0].vval));
}

static const int has_register_command = (iocshRegister(&register_definition, call_register), 0);

// Into a pipe the C library writes by blocks: what the IOC said before it hung
// or was killed would be lost. Runs before main.
static const int written_line_by_line = setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
