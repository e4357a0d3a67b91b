/* remora-load: HTTP/1.1 load in an open or a closed loop. Prints one JSON object; see --help. */
#include "bench/load/load_plan.h"

#include "lib/base/clock.h"
#include "lib/base/duration.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static const char help[] =
    "Usage: remora-load --target IP:PORT (--rate R --duration TIME | --requests N) [--NAME VALUE "
    "...]\n"
    "\n"
    "  --target IP:PORT    IPv4\n"
    "  --connections N     opened before the first request (64)\n"
    "  --rate R            open loop: Poisson arrivals, R requests a second on average\n"
    "  --duration TIME     of the open loop (5s)\n"
    "  --discard TIME      what is due in its beginning is not measured (1s)\n"
    "  --seed N            of the arrivals (1)\n"
    "  --requests N        closed loop: a request in flight on each connection until N are "
    "answered\n"
    "  --warmup N          and N before them that are not measured (0)\n"
    "  --watch PID,PID     CPU time of these processes over the measured part\n"
    "  --host NAME         Host field (localhost)\n"
    "  --path PATH         (/)\n"
    "  --body-bytes N      what every answer must have, else it is an error (1024)\n"
    "  --vary-ids          another X-Request-Id and trace id in every request\n"
    "\n"
    "Exit: 0 no errors, 1 some requests failed or nothing could be reached, 2 bad options.\n";

enum {
    TARGET = 1,
    CONNECTIONS,
    RATE,
    DURATION,
    DISCARD,
    SEED,
    REQUESTS,
    WARMUP,
    WATCH,
    HOST,
    PATH,
    BODY_BYTES,
    VARY_IDS,
    HELP
};

static const struct option names[] = {
    {"target", required_argument, NULL, TARGET},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"rate", required_argument, NULL, RATE},
    {"duration", required_argument, NULL, DURATION},
    {"discard", required_argument, NULL, DISCARD},
    {"seed", required_argument, NULL, SEED},
    {"requests", required_argument, NULL, REQUESTS},
    {"warmup", required_argument, NULL, WARMUP},
    {"watch", required_argument, NULL, WATCH},
    {"host", required_argument, NULL, HOST},
    {"path", required_argument, NULL, PATH},
    {"body-bytes", required_argument, NULL, BODY_BYTES},
    {"vary-ids", no_argument, NULL, VARY_IDS},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static bool parse_target(struct span text, struct sockaddr_in *ret)
{
    char ip[INET_ADDRSTRLEN] = "";
    uint64_t port = 0;
    size_t colon = span_find_byte(text, ':');
    if (colon >= sizeof(ip) || !span_to_u64(span_cut(text, colon + 1, text.length), 65535, &port)) {
        return false;
    }
    memcpy(ip, text.at, colon);
    ret->sin_family = AF_INET;
    ret->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, ip, &ret->sin_addr) == 1;
}

static bool parse_pids(struct span rest, struct load_plan *plan)
{
    struct span piece;
    while (span_next(&rest, ',', &piece)) {
        uint64_t pid = 0;
        if (plan->pid_count == LOAD_PIDS || !span_to_u64(piece, INT32_MAX, &pid)) {
            return false;
        }
        plan->pids[plan->pid_count++] = (int)pid;
    }
    return true;
}

static bool parse_time(struct span text, int64_t *ret_ns)
{
    int64_t ms = 0;
    bool good = duration_parse(text, &ms);
    if (good) {
        *ret_ns = ms * NS_PER_MS;
    }
    return good;
}

static bool set(struct load_plan *plan, int name, const char *value)
{
    struct span text = span_of(value);
    uint64_t number = 0;
    switch (name) {
    case TARGET:
        return parse_target(text, &plan->target);
    case CONNECTIONS:
        if (!span_to_u64(text, LOAD_CONNECTIONS, &number) || number == 0) {
            return false;
        }
        plan->connections = (uint32_t)number;
        return true;
    case RATE:
        plan->rate = strtod(value, NULL);
        return plan->rate > 0 && plan->rate <= 1e6;
    case DURATION:
        return parse_time(text, &plan->duration_ns);
    case DISCARD:
        return parse_time(text, &plan->discard_ns);
    case SEED:
        return span_to_u64(text, UINT64_MAX, &plan->seed);
    case REQUESTS:
        return span_to_u64(text, LOAD_REQUESTS, &plan->requests) && plan->requests > 0;
    case WARMUP:
        return span_to_u64(text, LOAD_REQUESTS, &plan->warmup);
    case WATCH:
        return parse_pids(text, plan);
    case HOST:
        plan->host = value;
        return true;
    case PATH:
        plan->path = value;
        return true;
    case BODY_BYTES:
        return span_to_u64(text, INT64_MAX, &plan->body_bytes);
    case VARY_IDS:
        plan->vary_ids = true;
        return true;
    default:
        return false;
    }
}

/* Exit status, or -1 to go on. */
static int read_options(int argc, char **argv, struct load_plan *plan)
{
    int at = 0;
    int name;
    while ((name = getopt_long(argc, argv, "", names, &at)) != -1) {
        if (name == HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (name == '?') {
            return 2;
        }
        if (!set(plan, name, optarg != NULL ? optarg : "")) {
            fprintf(stderr, "remora-load: --%s does not take \"%s\"\n", names[at].name, optarg);
            return 2;
        }
    }
    if (optind < argc || plan->target.sin_port == 0 || (plan->rate > 0) == (plan->requests > 0) ||
        plan->discard_ns > plan->duration_ns) {
        fputs("remora-load: needs --target and either --rate or --requests (see --help)\n", stderr);
        return 2;
    }
    return -1;
}

static double us(int64_t ns)
{
    return (double)ns / 1000.0;
}

static void print_report(const struct load_plan *plan, const struct load_report *report)
{
    const struct samples *latencies = &report->latencies;
    double seconds = (double)report->measured_ns / (double)NS_PER_S;
    double measured = (double)report->measured;
    printf("{\"loop\": \"%s\", \"n\": %" PRIu64 ", \"sent\": %" PRIu64 ", \"errors\": %" PRIu64
           ", \"reconnects\": %" PRIu64 ", \"seconds\": %.6f, \"requests_per_s\": %.1f",
           plan->rate > 0 ? "open" : "closed", report->measured, report->sent, report->errors,
           report->reconnects, seconds, seconds > 0 ? measured / seconds : 0);
    if (plan->pid_count > 0) {
        printf(", \"cpu_s\": %.6f, \"cpu_us_per_request\": %.3f",
               (double)report->cpu_ns / (double)NS_PER_S,
               measured > 0 ? us(report->cpu_ns) / measured : 0);
    }
    if (plan->rate > 0) {
        printf(", \"longest_queue\": %" PRIu64 ", \"samples\": %zu, \"mean_us\": %.1f",
               report->longest_queue, latencies->count, samples_mean(latencies) / 1000.0);
        static const struct {
            const char *name;
            double q;
        } quantiles[] = {
            {"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p99_9_us", 0.999}, {"max_us", 1}};
        for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
            printf(", \"%s\": %.1f", quantiles[i].name,
                   us(samples_quantile(latencies, quantiles[i].q)));
        }
    }
    puts("}");
}

int main(int argc, char **argv)
{
    struct load_plan plan = {
        .host = "localhost",
        .path = "/",
        .connections = 64,
        .body_bytes = 1024,
        .duration_ns = 5 * NS_PER_S,
        .discard_ns = NS_PER_S,
        .seed = 1,
    };
    struct load_report report;
    int status = read_options(argc, argv, &plan);
    if (status >= 0) {
        return status;
    }
    /* The default slack of 50 us would be added to every gap between arrivals. */
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    bool opened = plan.rate > 0 ? open_loop_run(&plan, &report) : closed_loop_run(&plan, &report);
    if (!opened) {
        fputs("remora-load: the connections could not be opened\n", stderr);
        return 1;
    }
    if (report.gave_up) {
        fputs("remora-load: gave up: connections are refused or closed again and again\n", stderr);
    }
    print_report(&plan, &report);
    samples_done(&report.latencies);
    return report.errors > 0 ? 1 : 0;
}
