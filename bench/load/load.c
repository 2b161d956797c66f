/* The load generator: many WebSocket clients in one thread, on epoll.
 *
 *   load events|rpc|connect|idle --port P --clients N ... (see `usage`)
 *
 * Says on stdout, one JSON object per line: ready, begin, end, then the result. Reads from
 * stdin: a line starts the warm-up; its end means go away. Every message is counted, and per
 * account and client its number must follow the one before: a gap, a repetition or a wrong
 * order is reported and fails the run. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "wire.h"

enum { UPGRADING, GREETING, OPEN, ENDED };
enum { EVENTS, RPC, CONNECT, IDLE };
#define ACCOUNTS 600
#define SLOTS 1024
#define CHUNK (256 * 1024)

typedef struct { char name[72]; size_t length; uint64_t incarnation, last, count; } Account;
typedef struct {
    int fd, life, state, slow, code, known, hint;
    uint8_t *in, *out;
    size_t have, room, out_have, out_sent, out_room;
    size_t at_name, at_cursor, at_text; /* where they were in the frame before */
    uint64_t frames, bytes, next_id, began, last;
    uint64_t asked[SLOTS]; /* when; 0: the slot is free */
    Account *accounts;
} Client;

static struct {
    int mode, port, clients, depth, raw, slow, plain;
    size_t bytes;
    double seconds, warm;
    const char *connect, *request, *watch, *event;
} o = {.clients = 1, .depth = 1, .seconds = 1, .warm = 0.2};

static Client *all;
static int poller, ready_count, ended_count, measuring, going;
static uint64_t frames, bytes, gaps, repeats, errors, hello_bytes, connects;
static Histogram latency;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t own_cpu(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *why) {
    fprintf(stderr, "load: %s: %s\n", why, strerror(errno));
    exit(1);
}

static void say(const char *state) {
    printf("{\"state\":\"%s\",\"frames\":%lu,\"ns\":%lu}\n", state, frames, now());
    fflush(stdout);
}

static void watch(Client *c, int how) {
    struct epoll_event e = {.events = EPOLLIN | (c->out_have > c->out_sent ? EPOLLOUT : 0), .data.ptr = c};
    if (c->slow && c->state == OPEN) e.events = EPOLLRDHUP; /* reads nothing, sees the end */
    if (epoll_ctl(poller, how, c->fd, &e)) die("epoll_ctl");
}

static void flush(Client *c) {
    while (c->out_sent < c->out_have) {
        ssize_t n = write(c->fd, c->out + c->out_sent, c->out_have - c->out_sent);
        if (n < 0 && errno == EAGAIN) { watch(c, EPOLL_CTL_MOD); return; }
        if (n < 0) return; /* its end is seen by the next read */
        c->out_sent += (size_t)n;
    }
    if (c->out_have) { c->out_have = c->out_sent = 0; watch(c, EPOLL_CTL_MOD); }
}

static uint8_t *grow(Client *c, size_t more) {
    if (c->out_have + more > c->out_room) {
        c->out_room = (c->out_have + more) * 2;
        c->out = realloc(c->out, c->out_room);
    }
    return c->out + c->out_have;
}

static void send_text(Client *c, int opcode, const char *text, size_t length) {
    c->out_have += put_frame(grow(c, length + 14), opcode, text, length);
}

static void ask(Client *c) {
    char text[8192];
    uint64_t id = c->next_id++;
    const char *from = o.request, *mark;
    size_t length = (size_t)snprintf(text, 128, "{\"type\":\"req\",\"id\":\"%lu\",", id);
    while ((mark = strpbrk(from, "@#"))) {
        memcpy(text + length, from, (size_t)(mark - from));
        length += (size_t)(mark - from);
        if (*mark == '#') length += (size_t)sprintf(text + length, "%ld", (c - all) % 4);
        else length += (size_t)sprintf(text + length, "%ld-%lu", c - all, id);
        from = mark + 1;
    }
    length += (size_t)sprintf(text + length, "%s}", from);
    c->asked[id % SLOTS] = now();
    send_text(c, 1, text, length);
}

static void dial(Client *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o.port)};
    int one = 1;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("connect");
    if (c->slow) { int small = 4096; setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->have = c->out_have = c->out_sent = 0;
    c->life++; /* whoever is reading the earlier socket stops */
    c->began = now();
    c->state = o.raw ? OPEN : UPGRADING;
    if (o.raw) ready_count++;
    else c->out_have = (size_t)sprintf((char *)grow(c, 512),
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", o.port);
    watch(c, EPOLL_CTL_ADD);
    flush(c);
}

static void opened(Client *c) {
    c->state = OPEN;
    if (o.mode == CONNECT && going) {
        if (measuring) { connects++; note(&latency, now() - c->began); }
        close(c->fd);
        dial(c);
        return;
    }
    ready_count++;
    if (c->slow) watch(c, EPOLL_CTL_MOD);
}

static Account *account_of(Client *c, const char *name, size_t length) {
    Account *a = c->accounts + c->hint;
    if (c->known && a->length == length && !memcmp(a->name, name, length)) return a;
    for (int i = 0; i < c->known; i++) {
        a = c->accounts + i;
        if (a->length == length && !memcmp(a->name, name, length)) { c->hint = i; return a; }
    }
    if (c->known == ACCOUNTS || length >= sizeof a->name) return NULL;
    a = c->accounts + (c->hint = c->known++);
    memcpy(a->name, name, length);
    a->length = length;
    return a;
}

/* Every number must follow the one before. */
static void follow(uint64_t last, uint64_t seq) {
    if (seq == last + 1) return;
    if (seq <= last) repeats++; else gaps += seq - last - 1;
}

/* A text is a running number, the time of its emission, and whatever. */
static void note_emission(const char *text, const char *end, uint64_t time) {
    number_at(&text, end);
    text++;
    uint64_t emitted = number_at(&text, end);
    if (emitted && time > emitted) note(&latency, time - emitted);
}

static void count_event(Client *c, const Frame *f, uint64_t time) {
    const char *end = (const char *)f->data + f->length;
    const char *name = after_as_before(f, "\"account\":\"", 256, &c->at_name);
    const char *cursor = after_as_before(f, "\"cursor\":\"", 512, &c->at_cursor);
    const char *text = after_as_before(f, "\"text\":\"", 1024, &c->at_text), *quote;
    if (!name || !cursor || !(quote = memchr(name, '"', 72))) { errors++; return; }
    Account *a = account_of(c, name, (size_t)(quote - name));
    if (!a) { errors++; return; }
    uint64_t incarnation = number_at(&cursor, end);
    cursor++;
    uint64_t seq = number_at(&cursor, end);
    if (a->incarnation == incarnation) follow(a->last, seq);
    a->incarnation = incarnation;
    a->last = seq;
    c->frames++;
    if (!measuring) return;
    frames++;
    a->count++;
    if (text && (!o.watch || (strlen(o.watch) == a->length && !memcmp(o.watch, a->name, a->length))))
        note_emission(text, end, time);
}

/* Of a gateway whose events are numbered per client: all of them must follow each other. */
static void count_numbered(Client *c, const Frame *f, uint64_t time) {
    size_t tail = f->length < 128 ? f->length : 128;
    const Frame last = {.data = f->data + f->length - tail, .length = tail};
    const char *end = (const char *)f->data + f->length, *at = after(&last, "\"seq\":", tail);
    if (!at) return; /* for this client alone */
    uint64_t seq = number_at(&at, end);
    if (c->last) follow(c->last, seq);
    c->last = seq;
    const char *name = after(f, "\"event\":\"", 64), *text;
    size_t length = strlen(o.event);
    if (!name || strncmp(name, o.event, length) || name[length] != '"') return;
    if (!(text = after(f, "\"text\":\"0", f->length))) return; /* about somebody else */
    c->frames++;
    if (!measuring) return;
    frames++;
    note_emission(text, end, time);
}

static void take_answer(Client *c, const Frame *f, uint64_t time) {
    const char *at = (const char *)f->data + strlen(ANSWER);
    uint64_t id = number_at(&at, (const char *)f->data + f->length);
    uint64_t *asked = &c->asked[id % SLOTS];
    if (!*asked || id >= c->next_id) { repeats++; return; }
    if (!after(f, "\"ok\":true", 400)) errors++;
    if (measuring) { frames++; note(&latency, time - *asked); }
    *asked = 0;
    ask(c);
}

static void take(Client *c, const Frame *f, uint64_t time) {
    if (f->opcode == 9) send_text(c, 10, (const char *)f->data, f->length);
    if (f->opcode == 8) { c->code = f->length > 1 ? f->data[0] << 8 | f->data[1] : 1005; return; }
    if (f->opcode != 1) return;
    if (c->state == GREETING) {
        if (starts(f, "{\"type\":\"event\",\"event\":\"connect.challenge\""))
            send_text(c, 1, o.connect, strlen(o.connect));
        else if (starts(f, "{\"type\":\"res\"")) {
            if (!after(f, "\"ok\":true", f->length)) die("refused");
            hello_bytes = f->length;
            opened(c);
        }
    } else if (o.event && starts(f, "{\"type\":\"event\"")) count_numbered(c, f, time);
    else if (c->accounts && starts(f, EVENT)) count_event(c, f, time);
    else if (starts(f, ANSWER)) take_answer(c, f, time);
}

static size_t upgrade(Client *c) {
    uint8_t *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(c->in, "HTTP/1.1 101", 12)) { fprintf(stderr, "load: %.60s\n", c->in); exit(1); }
    c->state = o.plain ? OPEN : GREETING;
    if (o.plain) opened(c);
    return (size_t)(end - c->in) + 4;
}

static void ended(Client *c) {
    if (c->state == ENDED) return;
    epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
    if (c->state != OPEN) { fprintf(stderr, "load: closed before it was open, %d\n", c->code); exit(1); }
    c->state = ENDED;
    ended_count++;
}

static void readable(Client *c) {
    if (c->have + CHUNK > c->room) { c->room = c->have + CHUNK; c->in = realloc(c->in, c->room); }
    int life = c->life;
    ssize_t n = read(c->fd, c->in + c->have, c->room - c->have);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { ended(c); return; }
    uint64_t time = now();
    if (measuring) bytes += (uint64_t)n;
    if (o.bytes) { c->bytes += (uint64_t)n; c->frames = c->bytes / o.bytes; return; }
    c->have += (size_t)n;
    size_t at = c->state == UPGRADING ? upgrade(c) : 0;
    while (c->state != UPGRADING && c->life == life && c->have > at) {
        Frame f = frame_at(c->in + at, c->have - at);
        if (!f.data) break;
        take(c, &f, time);
        at += f.whole;
    }
    if (c->life != life || c->state == UPGRADING) return;
    memmove(c->in, c->in + at, c->have -= at);
    flush(c);
}

static void turn(int milliseconds) {
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, milliseconds);
    for (int i = 0; i < n; i++) {
        Client *c = events[i].data.ptr;
        if (!c) { /* stdin: a line means go, its end go away */
            char line[64];
            if (read(0, line, sizeof line) <= 0) exit(0);
            going = 1;
            continue;
        }
        if (c->slow && c->state == OPEN) { if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ended(c); continue; }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        if (c->state != ENDED && events[i].events & EPOLLOUT) flush(c);
    }
}

static void run_for(double seconds) {
    uint64_t end = now() + (uint64_t)(seconds * 1e9), left;
    for (uint64_t t; (t = now()) < end;) { left = (end - t) / 1000000; turn(left > 50 ? 50 : (int)left + 1); }
}

static uint64_t counted(void) { /* in --bytes mode frames are only known from bytes */
    uint64_t sum = 0;
    for (int i = 0; i < o.clients; i++) sum += all[i].frames;
    return sum;
}

static void result(double seconds, uint64_t cpu, uint64_t least, uint64_t most) {
    uint64_t slow_ended = 0;
    int code = 0;
    for (int i = 0; i < o.clients; i++) if (all[i].slow && all[i].state == ENDED) slow_ended++;
    for (int i = 0; i < o.clients; i++) if (all[i].code) code = all[i].code;
    printf("{\"generator\":\"native\",\"seconds\":%.6f,\"cpuNs\":%lu,\"frames\":%lu,\"bytes\":%lu,\"gaps\":%lu,\"repeats\":%lu,"
        "\"errors\":%lu,\"ended\":%d,\"slowEnded\":%lu,\"closeCode\":%d,\"helloBytes\":%lu,\"connects\":%lu,"
        "\"least\":%lu,\"most\":%lu,\"latency\":{\"count\":%lu,\"meanUs\":%.2f,\"p50Us\":%.2f,\"p99Us\":%.2f,"
        "\"p999Us\":%.2f,\"maxUs\":%.2f}}\n",
        seconds, cpu, frames, bytes, gaps, repeats, errors, ended_count, slow_ended, code, hello_bytes, connects, least, most,
        latency.count, latency.count ? latency.sum / (double)latency.count / 1e3 : 0, quantile(&latency, 0.5) / 1e3,
        quantile(&latency, 0.99) / 1e3, quantile(&latency, 0.999) / 1e3, (double)latency.most / 1e3);
    fflush(stdout);
}

static void usage(void) {
    fprintf(stderr, "load events|rpc|connect|idle --port P [--clients N] [--seconds S] [--warm S]\n"
        "  [--connect JSON: what to say after the challenge] [--plain: no challenge]\n"
        "  [--raw: no WebSocket handshake] [--bytes B: count bytes, B make a frame]\n"
        "  [--depth D] [--request JSON: fields of each request; @ becomes a new number,\n"
        "  # one of 0 to 3 by connection]\n"
        "  [--event NAME: count this one, numbered by \"seq\", not channel.message]\n"
        "  [--slow K: so many clients never read] [--watch ACCOUNT: latency of this one only]\n");
    exit(2);
}

static void options(int argc, char **argv) {
    static const char *modes[] = {"events", "rpc", "connect", "idle"};
    if (argc < 2) usage();
    for (o.mode = 0; o.mode < 4 && strcmp(argv[1], modes[o.mode]); o.mode++);
    if (o.mode == 4) usage();
    for (int i = 2; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp(name, "--raw")) { o.raw = 1; continue; }
        if (!strcmp(name, "--plain")) { o.plain = 1; continue; }
        if (i + 1 == argc) usage();
        const char *value = argv[++i];
        if (!strcmp(name, "--port")) o.port = atoi(value);
        else if (!strcmp(name, "--clients")) o.clients = atoi(value);
        else if (!strcmp(name, "--seconds")) o.seconds = atof(value);
        else if (!strcmp(name, "--warm")) o.warm = atof(value);
        else if (!strcmp(name, "--connect")) o.connect = value;
        else if (!strcmp(name, "--bytes")) o.bytes = (size_t)atol(value);
        else if (!strcmp(name, "--depth")) o.depth = atoi(value);
        else if (!strcmp(name, "--request")) o.request = value;
        else if (!strcmp(name, "--slow")) o.slow = atoi(value);
        else if (!strcmp(name, "--watch")) o.watch = value;
        else if (!strcmp(name, "--event")) o.event = value;
        else usage();
    }
    if (!o.port || o.clients < 1 || o.depth < 1 || o.depth > SLOTS / 2) usage();
    if (!o.raw && !o.plain && !o.connect) usage();
    if (o.mode == RPC && !o.request) usage();
}

int main(int argc, char **argv) {
    options(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input);
    all = calloc((size_t)o.clients, sizeof *all);
    for (int i = 0; i < o.clients; i++) {
        all[i].slow = i < o.slow;
        if (o.mode == EVENTS && !o.bytes) all[i].accounts = calloc(ACCOUNTS, sizeof(Account));
        dial(all + i);
        while (ready_count < i - 15) turn(50); /* no more than 16 handshakes at a time */
    }
    while (ready_count < o.clients) turn(50);
    say("ready");
    while (!going) turn(1000);
    if (o.mode == IDLE) for (;;) turn(1000);
    for (int i = 0; i < o.clients; i++) {
        if (o.mode == RPC) { for (int d = 0; d < o.depth; d++) ask(all + i); flush(all + i); }
        if (o.mode == CONNECT) { close(all[i].fd); dial(all + i); }
    }
    run_for(o.warm);
    uint64_t *before = calloc((size_t)o.clients, sizeof *before), started = counted();
    for (int i = 0; i < o.clients; i++) before[i] = all[i].frames;
    measuring = 1;
    uint64_t begin = now(), cpu = own_cpu();
    say("begin");
    run_for(o.seconds);
    if (o.bytes) frames = counted() - started;
    say("end");
    double seconds = (double)(now() - begin) / 1e9;
    cpu = own_cpu() - cpu;
    uint64_t least = UINT64_MAX, most = 0;
    for (int i = o.slow; i < o.clients; i++) {
        uint64_t got = all[i].frames - before[i];
        if (got < least) least = got;
        if (got > most) most = got;
    }
    result(seconds, cpu, least, most);
    return gaps || repeats || errors ? 3 : 0;
}
