// See pvxs_client.h. No exception leaves a function of this file.

#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

// For `cacheClear`, which p4p has for everybody as `Context.disconnect`.
#define PVXS_ENABLE_EXPERT_API
#include <pvxs/client.h>
#include <pvxs/sharedArray.h>
#include <pvxs/version.h>

#include "pvxs_client.h"

namespace client = pvxs::client;

// What lives longest comes first: the rest is gone before the context is.
struct gauge_pvxs_client {
    gauge_pvxs_callbacks callbacks;
    client::Context context;
    // What to ask for: put together once, sent with every operation.
    pvxs::Value value_only;
    pvxs::Value value_and_time;
    std::vector<std::string> names;
    std::vector<std::shared_ptr<client::Connect>> channels;
    std::vector<std::shared_ptr<client::Operation>> requests;
    std::vector<std::shared_ptr<client::Subscription>> subscriptions;
};

struct gauge_pvxs_update {
    const pvxs::Value &value;
    // Keeps the elements alive, should they have had to be converted.
    pvxs::shared_array<const int16_t> pixels;
};

namespace {

bool tried(gauge_pvxs_error *error, const std::function<void()> &step)
{
    try {
        step();
        return true;
    } catch (const std::exception &why) {
        std::snprintf(error->text, sizeof error->text, "%s", why.what());
        return false;
    }
}

// Where a get's or a put's result goes. Callbacks are called with copies of what
// lives in the client: pvxs may end an operation later than it is told to.
std::function<void(client::Result &&)> answer_to(const gauge_pvxs_client *gauge, size_t request,
                                                  bool has_value)
{
    const gauge_pvxs_callbacks callbacks = gauge->callbacks;
    return [callbacks, request, has_value](client::Result &&result) {
        double value = NAN;
        try {
            const pvxs::Value &answer = result();
            if (has_value)
                value = answer["value"].as<double>();
        } catch (const std::exception &why) {
            callbacks.answer(callbacks.owner, request, value, why.what());
            return;
        }
        callbacks.answer(callbacks.owner, request, value, nullptr);
    };
}

// Takes the updates that are there, on pvxs' thread: nothing waits for another
// thread, and the client's own queue never fills up. True when the queue may hold
// more.
bool take_updates(const gauge_pvxs_callbacks &callbacks, size_t number,
                  client::Subscription &subscription)
{
    try {
        while (pvxs::Value value = subscription.pop()) {
            gauge_pvxs_update update{value, {}};
            callbacks.update(callbacks.owner, number, &update, nullptr);
        }
        return false;
    } catch (const client::Finished &why) {
        callbacks.update(callbacks.owner, number, nullptr, "the server has ended it");
    } catch (const client::Disconnect &why) {
        // pvxs subscribes again by itself when the PV is back.
    } catch (const std::exception &why) {
        callbacks.update(callbacks.owner, number, nullptr, why.what());
    }
    return true;
}

} // namespace

extern "C" {

const char *gauge_pvxs_version(void)
{
    return pvxs::version_str();
}

gauge_pvxs_client *gauge_pvxs_new(const gauge_pvxs_callbacks *callbacks, gauge_pvxs_error *error)
{
    std::unique_ptr<gauge_pvxs_client> gauge;
    const bool made = tried(error, [&] {
        gauge.reset(new gauge_pvxs_client{
            *callbacks, client::Context::fromEnv(),
            client::Context::request().field("value").build(),
            client::Context::request().field("value").field("timeStamp").build(), {}, {}, {}, {}});
    });
    return made ? gauge.release() : nullptr;
}

void gauge_pvxs_delete(gauge_pvxs_client *gauge)
{
    gauge_pvxs_error ignored;
    // Waits for callbacks that are running; none comes after it.
    tried(&ignored, [&] { gauge->context.close(); });
    delete gauge;
}

bool gauge_pvxs_create(gauge_pvxs_client *gauge, const char *name, gauge_pvxs_error *error)
{
    return tried(error, [&] {
        const gauge_pvxs_callbacks callbacks = gauge->callbacks;
        const size_t pv = gauge->channels.size();
        gauge->names.emplace_back(name);
        gauge->channels.push_back(
            gauge->context.connect(name)
                .onConnect([callbacks, pv] { callbacks.connection(callbacks.owner, pv, true); })
                .onDisconnect([callbacks, pv] { callbacks.connection(callbacks.owner, pv, false); })
                .exec());
    });
}

bool gauge_pvxs_hurry_up(gauge_pvxs_client *gauge, gauge_pvxs_error *error)
{
    return tried(error, [&] { gauge->context.hurryUp(); });
}

bool gauge_pvxs_get(gauge_pvxs_client *gauge, size_t pv, size_t request, gauge_pvxs_error *error)
{
    return tried(error, [&] {
        gauge->requests.push_back(gauge->context.get(gauge->names.at(pv))
                                      .rawRequest(gauge->value_only)
                                      .result(answer_to(gauge, request, true))
                                      .syncCancel(false)
                                      .exec());
    });
}

bool gauge_pvxs_get_default(gauge_pvxs_client *gauge, size_t pv, double timeout_s, double *value,
                            gauge_pvxs_error *error)
{
    return tried(error, [&] {
        pvxs::Value answer = gauge->context.get(gauge->names.at(pv)).exec()->wait(timeout_s);
        *value = answer["value"].as<double>();
    });
}

bool gauge_pvxs_put(gauge_pvxs_client *gauge, size_t pv, double value, size_t request,
                    gauge_pvxs_error *error)
{
    return tried(error, [&] {
        gauge->requests.push_back(gauge->context.put(gauge->names.at(pv))
                                      .fetchPresent(false)
                                      .rawRequest(gauge->value_only)
                                      .set("value", value)
                                      .result(answer_to(gauge, request, false))
                                      .syncCancel(false)
                                      .exec());
    });
}

void gauge_pvxs_end_requests(gauge_pvxs_client *gauge)
{
    gauge->requests.clear();
}

bool gauge_pvxs_subscribe(gauge_pvxs_client *gauge, size_t pv, size_t number,
                          gauge_pvxs_error *error)
{
    return tried(error, [&] {
        const gauge_pvxs_callbacks callbacks = gauge->callbacks;
        gauge->subscriptions.push_back(
            gauge->context.monitor(gauge->names.at(pv))
                .rawRequest(gauge->value_and_time)
                .event([callbacks, number](client::Subscription &subscription) {
                    while (take_updates(callbacks, number, subscription)) {
                    }
                })
                .exec());
    });
}

gauge_pvxs_squashed gauge_pvxs_take_squashed(gauge_pvxs_client *gauge)
{
    gauge_pvxs_squashed squashed = {0, 0};
    for (const auto &subscription : gauge->subscriptions) {
        client::SubscriptionStat counts;
        subscription->stats(counts, true);
        squashed.by_server += counts.nSrvSquash;
        squashed.by_client += counts.nCliSquash;
    }
    return squashed;
}

bool gauge_pvxs_disconnect(gauge_pvxs_client *gauge, gauge_pvxs_error *error)
{
    return tried(error, [&] {
        gauge->requests.clear();
        gauge->subscriptions.clear();
        gauge->channels.clear();
        gauge->names.clear();
        // Else pvxs keeps channels that nobody uses for 10 to 20 s.
        gauge->context.cacheClear();
    });
}

bool gauge_pvxs_read_time(const gauge_pvxs_update *update, gauge_pvxs_time *time,
                          gauge_pvxs_error *error)
{
    return tried(error, [&] {
        time->seconds = update->value["timeStamp.secondsPastEpoch"].as<int64_t>();
        time->nanoseconds = update->value["timeStamp.nanoseconds"].as<int32_t>();
    });
}

bool gauge_pvxs_read_scalar(const gauge_pvxs_update *update, double *value,
                            gauge_pvxs_error *error)
{
    return tried(error, [&] { *value = update->value["value"].as<double>(); });
}

bool gauge_pvxs_read_pixels(gauge_pvxs_update *update, gauge_pvxs_pixels *pixels,
                            gauge_pvxs_error *error)
{
    return tried(error, [&] {
        update->pixels = update->value["value"].as<pvxs::shared_array<const int16_t>>();
        pixels->first = update->pixels.data();
        pixels->count = update->pixels.size();
    });
}

} // extern "C"
