// The kernel's own limit: one thread, epoll, one prepared frame, one write(2) for each subscriber.
//
// Answers any HTTP GET with the head of an event stream, or with 101 when it asks for an upgrade; the last part of the
// path is the topic. The control port takes "<topic> <bytes>\n" and a whole frame, which goes out as it is.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

enum class Kind { subscriber, control };

struct Connection {
  Kind kind;
  bool open = false;
  size_t topic = 0;
  std::string read;
};

std::unordered_map<int, Connection> connections;
std::vector<std::vector<int>> topics;

const char kStream[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n";
const char kUpgrade[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

int listen_on(int* port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0) {
    perror("listen");
    exit(1);
  }
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  *port = ntohs(address.sin_port);
  return fd;
}

void forget(int fd) {
  auto found = connections.find(fd);
  if (found == connections.end()) return;
  if (found->second.open) {
    auto& topic = topics[found->second.topic];
    for (size_t i = 0; i < topic.size(); i++) {
      if (topic[i] != fd) continue;
      topic[i] = topic.back();
      topic.pop_back();
      break;
    }
  }
  connections.erase(found);
  close(fd);
}

void open_subscriber(int fd, Connection& connection) {
  size_t path_end = connection.read.find(' ', 4);
  size_t name = connection.read.rfind('/', path_end) + 1;
  connection.topic = strtoul(connection.read.c_str() + name, nullptr, 10);
  if (topics.size() <= connection.topic) topics.resize(connection.topic + 1);
  topics[connection.topic].push_back(fd);
  connection.open = true;
  bool upgrades = connection.read.find("Upgrade: websocket") != std::string::npos;
  const char* head = upgrades ? kUpgrade : kStream;
  if (write(fd, head, strlen(head)) < 0) perror("write");
  connection.read.clear();
}

void publish(Connection& control) {
  for (;;) {
    size_t line = control.read.find('\n');
    if (line == std::string::npos) return;
    size_t topic = 0, bytes = 0;
    if (sscanf(control.read.c_str(), "%zu %zu", &topic, &bytes) != 2) exit(1);
    if (control.read.size() < line + 1 + bytes) return;
    const char* frame = control.read.data() + line + 1;
    if (topic < topics.size()) {
      for (int fd : topics[topic]) {
        if (write(fd, frame, bytes) != static_cast<ssize_t>(bytes)) forget(fd);
      }
    }
    control.read.erase(0, line + 1 + bytes);
  }
}

}  // namespace

int main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  int port = 0, control_port = 0;
  int server = listen_on(&port);
  int control = listen_on(&control_port);
  int epoll = epoll_create1(0);
  for (int fd : {server, control}) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  printf("{\"port\":%d,\"controlPort\":%d}\n", port, control_port);
  fflush(stdout);

  std::vector<epoll_event> events(1024);
  std::vector<char> buffer(1 << 17);
  for (;;) {
    int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == server || fd == control) {
        for (;;) {
          int client = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK);
          if (client < 0) break;
          int on = 1;
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          connections[client] = Connection{fd == server ? Kind::subscriber : Kind::control};
          epoll_event event{EPOLLIN, {.fd = client}};
          epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event);
        }
        continue;
      }
      ssize_t size = read(fd, buffer.data(), buffer.size());
      if (size <= 0) {
        forget(fd);
        continue;
      }
      auto found = connections.find(fd);
      if (found == connections.end()) continue;
      Connection& connection = found->second;
      connection.read.append(buffer.data(), static_cast<size_t>(size));
      if (connection.kind == Kind::control) publish(connection);
      else if (!connection.open && connection.read.find("\r\n\r\n") != std::string::npos) open_subscriber(fd, connection);
    }
  }
}
