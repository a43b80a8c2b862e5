import Foundation

/// A process that answers a line with a line, and stands still (SIGSTOP) between its turns, so that no idle pool of its
/// threads disturbs whoever is measured.
///
/// It is in a process group of its own: Ctrl-C reaches kbench alone, which then ends it. Should kbench die without doing
/// so, the kernel sends SIGHUP and SIGCONT to a stopped child (its group is orphaned), and one that runs finds its stdin
/// at an end.
final class Child {
  /// Why a child gave no answer.
  enum Failure: Error {
    case died(String)
    case interrupted
  }

  private(set) var pid: pid_t
  private let input: Int32
  private let output: Int32
  private var buffer: [UInt8] = []

  /// Starts a program with arguments, and with changes to this process's environment. Its stderr is dropped: libraries
  /// print warnings there.
  init(_ program: String, _ arguments: [String], environment changes: [String: String]) throws(PeerError) {
    let toChild = try Self.makePipe()
    let fromChild: [Int32]
    do {
      fromChild = try Self.makePipe()
    } catch {
      for end in toChild { close(end) }
      throw error
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild[0], STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    posix_spawnattr_setpgroup(&attributes, 0)
    // Whatever this process blocks or ignores, the child is to hear SIGHUP and SIGPIPE.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigaddset(&signals, SIGHUP)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)

    let environment = ProcessInfo.processInfo.environment.merging(changes) { $1 }.map { "\($0)=\($1)" }
    let words = ([program] + arguments).map { strdup($0) } + [nil]
    let variables = environment.map { strdup($0) } + [nil]
    defer { for p in words + variables { free(p) } }
    var child: pid_t = 0
    let status = posix_spawn(&child, program, &actions, &attributes, words, variables)
    close(toChild[0])
    close(fromChild[1])
    (pid, input, output) = (child, toChild[1], fromChild[0])
    if status != 0 {
      pid = 0
      throw PeerError("\(program) does not start: \(String(cString: strerror(status)))")
    }
  }

  /// Reading end, writing end. Closed on exec: a sibling that held our end of a child's stdin open would keep the child
  /// from ever seeing its end.
  private static func makePipe() throws(PeerError) -> [Int32] {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw PeerError("no pipe: \(String(cString: strerror(errno)))") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return ends
  }

  deinit {
    end()
    close(input)
    close(output)
  }

  /// Ends the process, stopped or not.
  func end() {
    guard pid > 0 else { return }
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
    pid = 0
  }

  /// Lets the child go on, sends it a line, waits for its answer and stops it again.
  func ask(_ line: String) throws(Failure) -> String {
    guard pid > 0 else { throw .died("it has ended") }
    kill(pid, SIGCONT)
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
      let n = rest.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      if n > 0 { rest = rest.dropFirst(n) } else if errno != EINTR { throw lost() }
    }
    return try answer()
  }

  /// Waits for a line, then stops the child.
  func answer() throws(Failure) -> String {
    while true {
      if let end = buffer.firstIndex(of: 10) {
        let line = String(decoding: buffer[..<end], as: UTF8.self)
        buffer.removeSubrange(...end)
        kill(pid, SIGSTOP)
        return line
      }
      if Interrupt.isPending {
        end()
        throw .interrupted
      }
      // Now and then even without an answer: the signal may have come just before.
      var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 200) > 0 else { continue }
      var bytes = [UInt8](repeating: 0, count: 65536)
      let n = read(output, &bytes, bytes.count)
      if n > 0 { buffer += bytes[..<n] } else if n == 0 || errno != EINTR { throw lost() }
    }
  }

  /// The child has gone: how.
  private func lost() -> Failure {
    var status: Int32 = 0
    kill(pid, SIGKILL)
    waitpid(pid, &status, 0)
    pid = 0
    let signal = status & 0x7f
    return .died(signal == 0 ? "it ended with status \(status >> 8 & 0xff)" : "signal \(signal) ended it")
  }
}
