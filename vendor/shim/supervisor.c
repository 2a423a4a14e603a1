/* supervisor: runs one command and takes it along, with all its descendants.
 *
 *   supervisor [--attached | --grace MS] CONTROL-FD FOLDER COMMAND [ARGUMENT...]
 *
 * CONTROL-FD is one end of a socket pair whose other end only the harness
 * holds. It works when the harness can do nothing any more (SIGKILL): the
 * kernel closes the harness's end, and the supervisor kills everything it started, and
 * removes FOLDER unless that is empty: the harness cannot do it any more.
 *
 * The supervisor writes one line to the socket: "started PID" or "error ERRNO". It
 * ends like the command did: with the same exit code, or by the same signal.
 *
 * With --attached the command stays in the process group of the harness, as a
 * command that a shell starts does: it may read the terminal, and Ctrl-C reaches
 * it. Signals that ask to end are the command's then, and the supervisor waits for it.
 *
 * With --grace the command has so many ms to end by itself when the harness is gone: what
 * it started on another host is beyond the reach of this supervisor, and what it started
 * here has folders of its own to remove.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static int wake_up[2];
static int is_attached;
static int grace_ms;

static void on_signal(int number)
{
    int kept = errno;
    char byte = (char)number;
    ssize_t ignored = write(wake_up[1], &byte, 1);
    (void)ignored;
    errno = kept;
}

static void say(int control_socket, const char *word, long number)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s %ld\n", word, number);
    ssize_t ignored = write(control_socket, line, (size_t)length);
    (void)ignored;
}

static void catch_signal(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, NULL);
}

/* The command dies with the supervisor, should somebody kill that. */
static void die_with_parent(pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent)
        _exit(125);
}

static void run_command(char **command, int control_socket, int failed, pid_t parent)
{
    if (!is_attached)
        setpgid(0, 0);
    die_with_parent(parent);
    signal(SIGPIPE, SIG_DFL);
    close(control_socket);
    execvp(command[0], command);
    int error = errno;
    ssize_t ignored = write(failed, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

/* Descendants that left the command's group (daemons) were handed to the supervisor,
 * because it is their subreaper; they are its direct children now. */
static int kill_adopted_children(void)
{
    int killed = 0;
#ifdef __linux__
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    FILE *children = fopen(path, "r");
    long child;
    if (!children)
        return 0;
    while (fscanf(children, "%ld", &child) == 1) {
        kill((pid_t)child, SIGKILL);
        killed++;
    }
    fclose(children);
#endif
    return killed;
}

static void kill_everything(pid_t command)
{
    kill(is_attached ? command : -command, SIGKILL);
    /* Killing a child may hand its own children to the supervisor: again until none. */
    while (kill_adopted_children() > 0)
        while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
            ;
}

static void end_like(int status)
{
    if (WIFSIGNALED(status)) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 126);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

static void remove_folder(const char *folder)
{
    if (*folder)
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int harness_is_gone(int control_socket)
{
    /* The harness never writes: anything here is the end of it. */
    struct pollfd watched = {control_socket, POLLIN, 0};
    return poll(&watched, 1, 0) > 0 && watched.revents;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A command that was killed leaves supervisors of its own, which see its end and have
 * folders to remove: they get the grace too. */
static void let_adopted_children_end(void)
{
    struct timespec pause = {0, 2000000};
    long end = now_ms() + grace_ms;
    while (now_ms() < end && waitpid(-1, NULL, WNOHANG) >= 0)
        nanosleep(&pause, NULL);
}

static void reap(pid_t command, int control_socket, const char *folder)
{
    int status;
    pid_t ended;
    while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
        if (ended == command) {
            let_adopted_children_end();
            kill_everything(command);
            /* An IOC may see the end of its stdin before the supervisor that of its
             * control socket. */
            if (harness_is_gone(control_socket))
                remove_folder(folder);
            end_like(status);
        }
    }
}

/* Its stdin has ended with the harness: a command that heeds that ends now. */
static void let_it_end(pid_t command, int control_socket, const char *folder)
{
    long end = now_ms() + grace_ms;
    for (long left; (left = end - now_ms()) > 0;) {
        struct pollfd woken = {wake_up[0], POLLIN, 0};
        char byte;
        if (poll(&woken, 1, (int)left) > 0)
            (void)!read(wake_up[0], &byte, 1);
        reap(command, control_socket, folder);
    }
}

static void guard(pid_t command, int control_socket, const char *folder)
{
    struct pollfd watched[2] = {{control_socket, POLLIN, 0}, {wake_up[0], POLLIN, 0}};
    for (;;) {
        char byte;
        if (poll(watched, 2, -1) < 0)
            continue;
        if (watched[1].revents && read(wake_up[0], &byte, 1) == 1 && byte != SIGCHLD &&
            !is_attached) {
            kill_everything(command);
            remove_folder(folder);
            _exit(128 + byte);
        }
        reap(command, control_socket, folder);
        if (harness_is_gone(control_socket)) {
            let_it_end(command, control_socket, folder);
            if (grace_ms) {
                kill(-command, SIGKILL);
                let_adopted_children_end();
            }
            kill_everything(command);
            remove_folder(folder);
            _exit(124);
        }
    }
}

int main(int argc, char **argv)
{
    is_attached = argc > 1 && strcmp(argv[1], "--attached") == 0;
    argc -= is_attached;
    argv += is_attached;
    if (argc > 2 && strcmp(argv[1], "--grace") == 0) {
        grace_ms = atoi(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc < 4) {
        fprintf(stderr, "usage: supervisor [--attached | --grace MS] CONTROL-FD FOLDER COMMAND "
                        "[ARGUMENT...]\n");
        return 64;
    }
    int control_socket = atoi(argv[1]);
    int failed[2];
    /* A session of its own: Ctrl-C reaches the harness only, which then ends
     * everything in order. */
    if (!is_attached)
        setsid();
#ifdef __linux__
    prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
    if (pipe(wake_up) || pipe(failed)) {
        say(control_socket, "error", errno);
        return 126;
    }
    fcntl(wake_up[0], F_SETFD, FD_CLOEXEC);
    fcntl(wake_up[1], F_SETFD, FD_CLOEXEC);
    fcntl(failed[0], F_SETFD, FD_CLOEXEC);
    fcntl(failed[1], F_SETFD, FD_CLOEXEC);
    catch_signal(SIGCHLD);
    catch_signal(SIGTERM);
    catch_signal(SIGINT);
    catch_signal(SIGHUP);

    pid_t self = getpid();
    pid_t command = fork();
    if (command < 0) {
        say(control_socket, "error", errno);
        return 126;
    }
    if (command == 0)
        run_command(argv + 3, control_socket, failed[1], self);
    close(failed[1]);

    int error;
    if (read(failed[0], &error, sizeof error) == sizeof error) {
        say(control_socket, "error", error);
        return 127;
    }
    close(failed[0]);
    say(control_socket, "started", (long)command);
    /* The command's pipes are its own: the supervisor must not keep them open. */
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    guard(command, control_socket, argv[2]);
    return 0;
}
