internal import ApusEngine

/// Where the threads of parallel work come from.
public enum ThreadingBackend: CaseIterable, Sendable, Hashable, CustomStringConvertible {
  /// A team of Dispatch's threads that lingers between calls: the default.
  case dispatch
  /// The OpenMP run time of the program (libgomp, libomp, libiomp5), found when a context is first made with it.
  case openMP
  /// The parallel-for that was given to ``Context/init(instructionSet:threads:parallelFor:)``.
  case host
  /// The calling thread only.
  case serial

  /// As the environment variable `APUS_BACKEND` takes it: "openmp".
  public var description: String { engine.name }

  var engine: ApusEngine.ThreadingBackend {
    switch self {
    case .dispatch: .dispatch
    case .openMP: .openmp
    case .host: .host
    case .serial: .serial
    }
  }

  init(_ backend: ApusEngine.ThreadingBackend) {
    self =
      switch backend {
      case .dispatch: .dispatch
      case .openmp: .openMP
      case .host: .host
      case .serial: .serial
      }
  }
}
