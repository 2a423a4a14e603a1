/* What the approach `pvxs` needs of pvxs' client, in C: pvxs itself has C++ only.
 *
 * A function that can fail returns false and writes a sentence into `error`.
 * Callbacks come from pvxs' own thread, one at a time, from the moment at which a
 * client is made until gauge_pvxs_delete returns. PVs are named by the order in
 * which they were created, requests and subscriptions by a number of the caller's.
 */
#ifndef EPICS_GAUGE_PVXS_CLIENT_H
#define EPICS_GAUGE_PVXS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GAUGE_PVXS_ERROR_BYTES 256

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gauge_pvxs_client gauge_pvxs_client;

/* An update as pvxs hands it over; alive while its callback runs. */
typedef struct gauge_pvxs_update gauge_pvxs_update;

typedef struct gauge_pvxs_error {
    char text[GAUGE_PVXS_ERROR_BYTES];
} gauge_pvxs_error;

/* Since the Unix epoch, which pvAccess counts from. */
typedef struct gauge_pvxs_time {
    int64_t seconds;
    int32_t nanoseconds;
} gauge_pvxs_time;

/* Elements that lie where pvxs has put them; alive as long as their update. */
typedef struct gauge_pvxs_pixels {
    const int16_t *first;
    size_t count;
} gauge_pvxs_pixels;

typedef struct gauge_pvxs_callbacks {
    void *owner;
    void (*connection)(void *owner, size_t pv, bool is_up);
    /* `error` is null where all is well; a put has no value. */
    void (*answer)(void *owner, size_t request, double value, const char *error);
    /* `update` is null where there is an `error`, after which no update comes. */
    void (*update)(void *owner, size_t subscription, gauge_pvxs_update *update,
                   const char *error);
} gauge_pvxs_callbacks;

/* Updates that were merged into a later one before they were taken, since the
 * subscriptions were made or were last asked. */
typedef struct gauge_pvxs_squashed {
    /* Updates of which the server says that they hold several. */
    uint64_t by_server;
    /* Updates that the client's own queue had no room for. */
    uint64_t by_client;
} gauge_pvxs_squashed;

/* Such as "PVXS 1.5.3". */
const char *gauge_pvxs_version(void);

/* A client that does what the environment says; null when there can be none. */
gauge_pvxs_client *gauge_pvxs_new(const gauge_pvxs_callbacks *callbacks, gauge_pvxs_error *error);
void gauge_pvxs_delete(gauge_pvxs_client *client);

/* Begins to look for one PV more. */
bool gauge_pvxs_create(gauge_pvxs_client *client, const char *name, gauge_pvxs_error *error);
/* Says that a batch of PVs is complete. */
bool gauge_pvxs_hurry_up(gauge_pvxs_client *client, gauge_pvxs_error *error);

/* Asks for the field `value`, with an operation of its own. */
bool gauge_pvxs_get(gauge_pvxs_client *client, size_t pv, size_t request,
                    gauge_pvxs_error *error);
/* Reads a PV with all fields and waits for it, as pvxs' documentation does. */
bool gauge_pvxs_get_default(gauge_pvxs_client *client, size_t pv, double timeout_s,
                            double *value, gauge_pvxs_error *error);
/* Writes the field `value` and has the server confirm it. */
bool gauge_pvxs_put(gauge_pvxs_client *client, size_t pv, double value, size_t request,
                    gauge_pvxs_error *error);
/* Ends all gets and puts, whether or not they are answered. */
void gauge_pvxs_end_requests(gauge_pvxs_client *client);

/* Subscribes to the fields `value` and `timeStamp`. */
bool gauge_pvxs_subscribe(gauge_pvxs_client *client, size_t pv, size_t subscription,
                          gauge_pvxs_error *error);
gauge_pvxs_squashed gauge_pvxs_take_squashed(gauge_pvxs_client *client);

/* Ends all subscriptions and drops all channels; no callback of theirs comes after it. */
bool gauge_pvxs_disconnect(gauge_pvxs_client *client, gauge_pvxs_error *error);

/* Read an update in its callback. */
bool gauge_pvxs_read_time(const gauge_pvxs_update *update, gauge_pvxs_time *time,
                          gauge_pvxs_error *error);
bool gauge_pvxs_read_scalar(const gauge_pvxs_update *update, double *value,
                            gauge_pvxs_error *error);
bool gauge_pvxs_read_pixels(gauge_pvxs_update *update, gauge_pvxs_pixels *pixels,
                            gauge_pvxs_error *error);

#ifdef __cplusplus
}
#endif

#endif
