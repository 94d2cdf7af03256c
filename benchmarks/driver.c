/* Runs one supervisor once and prints when things happened, as one line of JSON.
 *
 *     driver [-p] [-o FOLDER] -m MODE [-s SETTLE_MS] [-t TIMEOUT_MS] -f FIFO -- SUPERVISOR [ARGUMENT...]
 *
 * -p   the supervisor is PID 1 of new pid and mount namespaces, with a /proc of its own (a user namespace too where we are not root)
 * -o   the supervisor finds the programs of FOLDER in /usr/bin too, in a mount namespace of its own (we are root)
 * -m   exit      the application (app.c) ends by itself, SETTLE_MS after its start
 *      term      SETTLE_MS after the application's start the supervisor gets SIGTERM
 *      orphans   the application makes orphans
 *      run       there is no application: from exec to exit
 *
 * start_us    from just before execve of the supervisor to the application's first instruction
 * term_us     from kill(supervisor, SIGTERM) to the application's signal handler
 * exit_us     from just before the application's exit to the supervisor's end, as its parent sees it
 * wall_us     from execve to the supervisor's end
 * orphans_us  from the moment all orphans may exit to the moment the last one is reaped; left: how many never were
 *
 * What did not happen is null. With BENCH_VERBOSE in the environment the supervisor keeps its standard error. A supervisor that outlives its application is told to stop, and at last killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { END_TIMEOUT_MS = 2000, STOP_TIMEOUT_MS = 10000 };

static int fifo, supervisor_fd;
static long long deadline;
static long long started, termed, exited, ended, orphans, left; /* 0: not yet */

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    _exit(126);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        die(path);
    close(fd);
}

static void become_pid1(int uid, int gid)
{
    char map[32];

    if (uid != 0) {
        write_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %d 1", uid);
        write_file("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %d 1", gid);
        write_file("/proc/self/gid_map", map);
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        die("cannot make the mounts private");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        die("cannot mount /proc");
}

static void add_programs(const char *folder)
{
    char options[4096];

    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        die("cannot make the mounts private");
    snprintf(options, sizeof options, "lowerdir=%s:/usr/bin", folder);
    if (mount("overlay", "/usr/bin", "overlay", MS_RDONLY, options) != 0)
        die("cannot mount over /usr/bin");
}

/* Starts the supervisor; *executed becomes the time just before its execve. */
static pid_t launch(char **command, int as_pid1, const char *programs, volatile long long *executed)
{
    int uid = (int)geteuid(), gid = (int)getegid();
    unsigned long flags = SIGCHLD;

    if (as_pid1)
        flags |= CLONE_NEWPID | CLONE_NEWNS | (uid != 0 ? CLONE_NEWUSER : 0);
    pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0); /* with no stack of its own it is fork() with flags */
    if (pid < 0)
        die("cannot clone");
    if (pid > 0)
        return pid;
    if (as_pid1)
        become_pid1(uid, gid);
    if (programs)
        add_programs(programs);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    if (!getenv("BENCH_VERBOSE"))
        dup2(null, 2);
    if (null > 2)
        close(null);
    setsid();
    *executed = now_ns();
    execv(command[0], command);
    _exit(127);
}

static void take_line(const char *line)
{
    long long value = 0, rest = 0;

    if (sscanf(line + 1, "%lld %lld", &value, &rest) < 1)
        return;
    if (line[0] == 'S' && !started)
        started = value;
    if (line[0] == 'T')
        termed = value;
    if (line[0] == 'X')
        exited = value;
    if (line[0] == 'O') {
        orphans = value;
        left = rest;
    }
}

static void take_records(void)
{
    static char buffer[4096];
    static size_t filled;
    ssize_t got = read(fifo, buffer + filled, sizeof buffer - 1 - filled);
    char *line = buffer, *end;

    if (got <= 0)
        return;
    filled += (size_t)got;
    buffer[filled] = 0;
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        take_line(line);
    }
    filled -= (size_t)(line - buffer);
    memmove(buffer, line, filled);
}

/* Watches until *wanted is known, the supervisor has ended or time is up. */
static void watch_until(const long long *wanted)
{
    struct pollfd fds[2] = {{.fd = fifo, .events = POLLIN}, {.fd = supervisor_fd, .events = POLLIN}};

    while (!*wanted && !ended) {
        long long rest = deadline - now_ns();
        if (rest <= 0)
            return;
        poll(fds, 2, (int)(rest / 1000000) + 1);
        if (fds[1].revents)
            ended = now_ns();
        if (fds[0].revents)
            take_records();
    }
}

static void watch_for_ms(int ms)
{
    long long never = 0, whole = deadline;

    deadline = now_ns() + ms * 1000000LL;
    watch_until(&never);
    deadline = whole;
}

static void print_time(const char *key, int known, long long ns)
{
    if (known)
        printf("\"%s\": %.1f, ", key, (double)ns / 1e3);
    else
        printf("\"%s\": null, ", key);
}

int main(int argc, char **argv)
{
    int as_pid1 = 0, timeout_ms = 30000, option, status;
    const char *mode = "exit", *path = NULL, *settle = "100", *programs = NULL;
    long long killed = 0;

    while ((option = getopt(argc, argv, "+po:m:s:t:f:")) != -1) {
        switch (option) {
        case 'p': as_pid1 = 1; break;
        case 'o': programs = optarg; break;
        case 'm': mode = optarg; break;
        case 's': settle = optarg; break;
        case 't': timeout_ms = atoi(optarg); break;
        case 'f': path = optarg; break;
        default: return 2;
        }
    }
    if (!path || !argv[optind])
        return 2;
    int term = strcmp(mode, "term") == 0, run = strcmp(mode, "run") == 0;

    unlink(path);
    if (mkfifo(path, 0666) != 0)
        die(path);
    fifo = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK); /* both ways: no end of file between two writers */
    setenv("BENCH_FIFO", path, 1);
    setenv("BENCH_LIFE_MS", settle, 1);
    setenv("BENCH_MODE", term ? "sleep" : mode, 1);
    long long *executed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fifo < 0 || executed == MAP_FAILED)
        die("cannot prepare");

    deadline = now_ns() + timeout_ms * 1000000LL;
    pid_t supervisor = launch(argv + optind, as_pid1, programs, executed);
    supervisor_fd = (int)syscall(SYS_pidfd_open, supervisor, 0);
    if (supervisor_fd < 0)
        die("cannot open a pidfd (Linux 5.3 or later is needed)");

    if (!run)
        watch_until(&started);
    if (term && started) {
        watch_for_ms(atoi(settle));
        killed = now_ns();
        kill(supervisor, SIGTERM);
        watch_until(&termed);
    }
    if (!run && started)
        watch_until(&exited);
    if (!run)
        watch_for_ms(term ? STOP_TIMEOUT_MS : END_TIMEOUT_MS);
    else
        watch_until(&ended);
    int by_itself = ended != 0;
    if (!ended) {
        kill(supervisor, SIGTERM);
        watch_for_ms(STOP_TIMEOUT_MS);
    }
    if (!ended)
        kill(supervisor, SIGKILL);
    waitpid(supervisor, &status, 0);
    take_records();
    unlink(path);

    printf("{");
    print_time("start_us", started != 0, started - *executed);
    print_time("term_us", termed && killed, termed - killed);
    print_time("exit_us", exited && by_itself, ended - exited);
    print_time("wall_us", by_itself, ended - *executed);
    print_time("orphans_us", orphans != 0, orphans);
    printf("\"left\": %lld, \"status\": %d}\n", left, status);
    return 0;
}
