/// Threading back ends; raw values are the C header's.
public enum ThreadingBackend: Int32, CaseIterable, Sendable {
  /// A team of Dispatch's threads that lingers between calls.
  case dispatch = 1
  /// The host's OpenMP run time.
  case openmp = 2
  /// The host's parallel-for callback.
  case host = 3
  /// The calling thread only.
  case serial = 4

  /// As `APUS_BACKEND` takes it.
  public var staticName: StaticString {
    switch self {
    case .dispatch: "dispatch"
    case .openmp: "openmp"
    case .host: "host"
    case .serial: "serial"
    }
  }

  /// `staticName` as a String.
  public var name: String { "\(staticName)" }
}
