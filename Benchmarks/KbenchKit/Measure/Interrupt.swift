import Foundation
import Synchronization

private let pending = Atomic<Bool>(false)

/// Ctrl-C: the run ends after the current sample and closes its document. A second one ends the process at once.
public enum Interrupt {
  /// What a shell reports for a program that SIGINT ended.
  public static let exitCode: Int32 = 130

  /// True once SIGINT has come.
  public static var isPending: Bool { pending.load(ordering: .relaxed) }

  /// Catches SIGINT. A pipe whose reader has gone is an error of write, not a signal.
  public static func install() {
    _ = isPending
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in pending.store(true, ordering: .relaxed) }
    // Without SA_RESTART a wait for a child is cut short too.
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
    sigaction(SIGINT, &action, nil)
    // A parent that starts programs from one of Dispatch's threads hands down a mask with nearly all signals blocked.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
  }
}
