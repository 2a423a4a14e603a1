// Device support for waveform records that are cameras: each processing writes
// the next frame. src/frame.rs has the same formula and says why it is this one:
//
//   pixel(0), pixel(1)  the frame's number, low half first
//   pixel(i)            i mod 32749 + number * 40503 mod 32768
//
// The record has FTVL SHORT, because Channel Access has no unsigned 16 bit type
// and would send 32 bit for USHORT; the bits are those of unsigned pixels.

#include <algorithm>
#include <cstddef>
#include <new>

#include "alarm.h"
#include "dbAccess.h"
#include "dbDefs.h"
#include "dbFldTypes.h"
#include "devSup.h"
#include "epicsTypes.h"
#include "recGbl.h"
#include "waveformRecord.h"
// Last: what follows it is exported, as device support is looked up by name.
#include "epicsExport.h"

namespace {

const std::size_t RAMP = 32749;
const epicsUInt32 SHADE_STEP = 40503;
const epicsUInt32 SHADES = 32768;
const std::size_t NUMBER_PIXELS = 2;

// What one record knows: the ramp is its own, as several scan threads may
// process several records at once.
struct Camera {
    epicsUInt32 number;
    epicsUInt16 ramp[RAMP];
};

// One whole ramp or the end of the picture; vectorised by the compiler.
void write_shaded(epicsUInt16 *__restrict pixels, const epicsUInt16 *__restrict ramp,
                  std::size_t count, epicsUInt16 shade)
{
    for (std::size_t i = 0; i < count; i++)
        pixels[i] = static_cast<epicsUInt16>(ramp[i] + shade);
}

void write_frame(waveformRecord *record)
{
    const Camera *camera = static_cast<const Camera *>(record->dpvt);
    epicsUInt16 *pixels = static_cast<epicsUInt16 *>(record->bptr);
    const std::size_t count = record->nelm;
    const epicsUInt32 number = camera->number;
    // Wraps modulo 2^32, of which SHADES is a divisor.
    const epicsUInt16 shade = static_cast<epicsUInt16>(number * SHADE_STEP % SHADES);
    for (std::size_t start = 0; start < count; start += RAMP)
        write_shaded(pixels + start, camera->ramp, std::min(RAMP, count - start), shade);
    pixels[0] = static_cast<epicsUInt16>(number);
    pixels[1] = static_cast<epicsUInt16>(number >> 16);
    record->nord = record->nelm;
    record->udf = FALSE;
}

// The record begins with frame 0, complete and dated: a client that subscribes
// before the first scan gets a frame like all others.
long init_record(dbCommon *common)
{
    waveformRecord *record = reinterpret_cast<waveformRecord *>(common);
    if (record->ftvl != DBF_SHORT || record->nelm < NUMBER_PIXELS) {
        recGblRecordError(S_db_badField, record, "frames need FTVL SHORT and NELM of 2 at least");
        return S_db_badField;
    }
    Camera *camera = new (std::nothrow) Camera;
    if (!camera) {
        recGblRecordError(S_db_noMemory, record, "no memory for a frame generator");
        return S_db_noMemory;
    }
    camera->number = 0;
    for (std::size_t i = 0; i < RAMP; i++)
        camera->ramp[i] = static_cast<epicsUInt16>(i);
    record->dpvt = camera;
    write_frame(record);
    record->stat = NO_ALARM;
    record->sevr = NO_ALARM;
    recGblGetTimeStamp(record);
    return 0;
}

long next_frame(waveformRecord *record)
{
    Camera *camera = static_cast<Camera *>(record->dpvt);
    if (!camera)
        return S_dev_NoInit;
    camera->number++;
    write_frame(record);
    return 0;
}

// Spelled out rather than taken from waveformRecord.h, whose type has changed
// between versions of Base; the layout has not.
struct {
    long number;
    long (*report)(int);
    long (*init)(int);
    long (*init_record)(dbCommon *);
    long (*get_ioint_info)(int, dbCommon *, void *);
    long (*read_wf)(waveformRecord *);
} devWaveformEpicsGaugeFrames = {5, nullptr, nullptr, init_record, nullptr, next_frame};

} // namespace

epicsExportAddress(dset, devWaveformEpicsGaugeFrames);
