/* The application that the benchmarks put under a supervisor.
 *
 * It reports what happens to it, and when, by one line a happening in the FIFO that BENCH_FIFO names. Times are CLOCK_MONOTONIC in ns:
 *
 *     S <time>                 first instruction of main
 *     T <time>                 SIGTERM arrived
 *     X <time>                 about to exit
 *     O <duration> <left>      all orphans reaped (or given up: <left> of them are still there)
 *
 * What it does is its first argument or, without one of these, BENCH_MODE (s6-supervise has an argument of its own):
 *
 *     exit      report S, live for BENCH_LIFE_MS (0), report X, exit 0
 *     sleep     report S, wait for SIGTERM, report T and X, exit 0
 *     orphans   make BENCH_ORPHANS orphans, let all of them exit at once, report O when the last is reaped, or after
 *               BENCH_GIVE_UP_S (60)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_LIFE_S = 900, SETTLE_MS = 300, GIVE_UP_S = 60 };

static int fifo = -1;
static volatile sig_atomic_t terminated;
static long long terminated_at;

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pause_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

static void report(const char *format, long long value, long left)
{
    char line[80];
    int length = snprintf(line, sizeof line, format, value, left);
    if (fifo >= 0 && write(fifo, line, (size_t)length) != length)
        _exit(3);
}

static void on_term(int signal)
{
    terminated_at = now_ns();
    terminated = signal;
}

static void wait_for_term(long long started)
{
    sigset_t term, none;
    struct sigaction action = {.sa_handler = on_term};

    /* Blocked until sigsuspend, so that a signal right after S is not slept through. */
    sigemptyset(&none);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    sigaction(SIGTERM, &action, NULL);
    report("S %lld\n", started, 0);
    while (!terminated)
        sigsuspend(&none);
    report("T %lld\n", terminated_at, 0);
}

static void make_orphan(volatile pid_t *slot, const int gate[2])
{
    pid_t parent = fork();

    if (parent < 0)
        _exit(4);
    if (parent == 0) {
        pid_t orphan = fork();
        if (orphan == 0) {
            char byte;
            close(gate[1]);
            _exit(read(gate[0], &byte, 1) == 0 ? 0 : 5); /* sleeps here until the gate's last writer is gone */
        }
        *slot = orphan;
        _exit(orphan < 0);
    }
    int status;
    while (waitpid(parent, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        _exit(4);
}

static void orphans(int count, int give_up_s)
{
    int gate[2];
    volatile pid_t *pids = mmap(NULL, sizeof(pid_t) * (size_t)count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (pids == MAP_FAILED || pipe(gate) != 0)
        _exit(4);
    pause_us(SETTLE_MS * 1000); /* the supervisor finishes its own start first */
    for (int i = 0; i < count; i++)
        make_orphan(&pids[i], gate);

    long long released = now_ns(), give_up = released + give_up_s * 1000000000LL;
    int gone = 0;
    close(gate[1]);
    /* A pid answers kill(pid, 0) until it is reaped. Looking at one pid after the other costs the reaper's CPU next to nothing. */
    while (gone < count && now_ns() < give_up) {
        if (kill(pids[gone], 0) != 0)
            gone++;
        else
            pause_us(100);
    }
    report("O %lld %ld\n", now_ns() - released, count - gone);
}

static int is_mode(const char *word)
{
    return strcmp(word, "exit") == 0 || strcmp(word, "sleep") == 0 || strcmp(word, "orphans") == 0;
}

int main(int argc, char **argv)
{
    long long started = now_ns();
    const char *path = getenv("BENCH_FIFO"), *count = getenv("BENCH_ORPHANS"), *life = getenv("BENCH_LIFE_MS");
    const char *give_up = getenv("BENCH_GIVE_UP_S");
    const char *mode = argc > 1 && is_mode(argv[1]) ? argv[1] : getenv("BENCH_MODE");

    alarm(LONGEST_LIFE_S); /* where a supervisor loses us, we do not stay for ever */
    if (path)
        fifo = open(path, O_WRONLY | O_CLOEXEC | O_APPEND);
    if (mode && strcmp(mode, "sleep") == 0) {
        wait_for_term(started);
    } else {
        report("S %lld\n", started, 0);
        if (mode && strcmp(mode, "orphans") == 0)
            orphans(count ? atoi(count) : 2000, give_up ? atoi(give_up) : GIVE_UP_S);
        else if (life)
            pause_us(atol(life) * 1000);
    }
    report("X %lld\n", now_ns(), 0);
    _exit(0);
}
