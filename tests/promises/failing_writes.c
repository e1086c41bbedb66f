// Lets writes to files below one directory fail: the n-th, once or from then on.
//
// The log calls the kernel without going through the C library, so that no LD_PRELOAD sees it. A seccomp filter
// sees every write of the process and turns it into SIGSYS, whose handler makes the call itself or fails it.
// The handler's own calls carry a mark in the sixth argument, which no write has, and pass the filter.

#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define RESULT(c) ((c)->uc_mcontext.gregs[REG_RAX])
#define ARGUMENT(c, i) ((long)(c)->uc_mcontext.gregs[(int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8}[i]])
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define RESULT(c) ((c)->uc_mcontext.regs[0])
#define ARGUMENT(c, i) ((long)(c)->uc_mcontext.regs[i])
#else
#error "no names of the registers of this processor"
#endif

#define MARK 0x7e57ab1eUL

static char directory[4096];
static volatile long seen, nth, lasting, error, shortened;

// Begins to count: the n-th write fails with an errno, or writes only a half where that is 0.
void arm(long n, int errno_or_short, int is_lasting) {
    __atomic_store_n(&nth, 0, __ATOMIC_SEQ_CST);
    seen = 0;
    error = errno_or_short;
    shortened = errno_or_short == 0;
    lasting = is_lasting;
    __atomic_store_n(&nth, n, __ATOMIC_SEQ_CST);
}

// Lets everything pass; how many writes were seen.
long disarm(void) {
    __atomic_store_n(&nth, 0, __ATOMIC_SEQ_CST);
    return seen;
}

static int is_ours(long fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%ld", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, directory) != 0;
}

static long marked(long number, const long *a) {
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], MARK);
    return result < 0 ? -errno : result;
}

// Half of the bytes, at least one: of a vector the half of its first part that is not empty.
static long write_half(long number, long *a) {
    struct iovec part;
    if (number == SYS_write || number == SYS_pwrite64) {
        a[2] = a[2] > 1 ? a[2] / 2 : a[2];
        return marked(number, a);
    }
    const struct iovec *parts = (const struct iovec *)a[1];
    long i = 0;
    while (i < a[2] - 1 && parts[i].iov_len == 0) i++;
    part = parts[i];
    part.iov_len = part.iov_len > 1 ? part.iov_len / 2 : part.iov_len;
    a[1] = (long)&part;
    a[2] = 1;
    return marked(number, a);
}

static void on_write(int signal, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    long a[5], saved = errno, number = info->si_syscall;
    (void)signal;
    for (int i = 0; i < 5; i++) a[i] = ARGUMENT(c, i);
    if (number == SYS_pwritev2) number = SYS_pwritev;  // its sixth argument are flags, which nobody here sets
    long at = __atomic_load_n(&nth, __ATOMIC_SEQ_CST), result;
    int fails = 0;
    if (at && is_ours(a[0])) {
        long k = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
        // A write that is interrupted for ever would be tried again for ever: every second one is.
        fails = k == at || (lasting && k > at && (error != EINTR || (k - at) % 2 == 0));
    }
    if (!fails) result = marked(number, a);
    else if (shortened) result = write_half(number, a);
    else result = -error;
    RESULT(c) = result;
    errno = saved;
}

// Watches the writes of this process from now on; an errno where that can't be.
int install(const char *where) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)MARK, 6, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    struct sigaction action = {.sa_sigaction = on_write, .sa_flags = SA_SIGINFO | SA_NODEFER};
    strncpy(directory, where, sizeof directory - 1);
    if (sigaction(SIGSYS, &action, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program)) return errno;
    return 0;
}
