import ApusShims

extension ExecutionContext {
  /// Does `body` and, where someone listens, tells of it as of a plan's run: for calls that have no plan. The problem's text
  /// is made only then.
  @inline(__always)
  func recorded<Result>(
    _ operation: StaticString, _ type: DataType, _ problem: @autoclosure () -> String,
    _ body: () throws(ApusError) -> Result
  ) throws(ApusError) -> Result {
    let start = !apus_verbose_is_off() && Verbose.isOn ? ContinuousClock.now : nil
    let result = try body()
    if let start {
      Verbose.emit(
        Verbose.Record(
          event: "run", operation: operation, problem: problem(), description: type.name,
          instructionSet: instructionSet, backend: backend, threads: effectiveThreads,
          microseconds: Verbose.microseconds(since: start)))
    }
    return result
  }
}

/// Sizes as kbench takes them: what is before an axis, the axis, what is behind it.
func layerShape(_ n: Int, _ c: Int, _ p: Int) -> String { "n\(n)c\(c)" + (p == 1 ? "" : "p\(p)") }
