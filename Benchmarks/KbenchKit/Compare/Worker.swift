import ApusEngine
import Foundation

/// The child's side of a comparison: serves lines from stdin until it ends.
///
///     setup PROBLEM check|nocheck   ->  ok WORST CHECKED TOTAL DESCRIPTION  |  no REASON
///     run SECONDS                   ->  t S S ...   seconds of one call, one number a sample
///
/// The first line that it writes is "ready VERSION" or "missing REASON".
public enum Worker {
  /// Who the worker stands for.
  public enum Subject {
    case apus(ExecutionContext)
    case peer(PeerLibrary)
  }

  /// Serves until stdin ends.
  public static func serve<F: Family>(_ family: F.Type, _ subject: Subject) {
    let prepare: (any Problem) throws -> any Case
    switch subject {
    case .apus(let context):
      prepare = { try $0.makeCase(context: context) }
      say("ready \(Machine.apusVersion)")
    case .peer(let library):
      do {
        let loaded = try library.load()
        let version = try F.version(loaded)
        prepare = { try $0.makePeerCase(loaded) }
        say("ready \(version)")
      } catch {
        say("missing \(error)")
        return
      }
    }
    var current: (any Case)?
    while let line = readLine() {
      let words = line.split(separator: " ").map(String.init)
      do {
        switch words.first {
        case "setup" where words.count == 3:
          current = nil
          let work = try prepare(F.problem(words[1], type: .float32))
          try work.run()
          let check = words[2] == "check" ? try work.check() : CheckResult(worst: 0, checked: 0, total: 0)
          current = work
          say("ok \(check.worst) \(check.checked) \(check.total) \(work.description)")
        case "run" where words.count == 2:
          guard let work = current, let seconds = Double(words[1]) else { throw PeerError("nothing is set up") }
          let samples = try Sampler(seconds: seconds, shouldStop: { false }).measure { try work.run() }
          say("t " + samples.map { String($0) }.joined(separator: " "))
        default: throw PeerError("unknown request")
        }
      } catch {
        say("no \(error)")
      }
    }
  }

  private static func say(_ line: String) {
    Report.toStandardOutput(line.replacingOccurrences(of: "\n", with: " ") + "\n")
  }
}
