// softMain.cpp calls this function, which Base's own make generates from the
// dbd file. Asking Base to look every symbol up by name does the same without
// a generator; it needs whole archives and an executable that exports them.

#include "dbBase.h"
#include "iocshRegisterCommon.h"

extern "C" int softIoc_registerRecordDeviceDriver(struct dbBase *database)
{
    iocshRegisterCommon();
    return registerAllRecordDeviceDrivers(database);
}
