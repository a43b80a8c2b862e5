import ApusEngine

/// A run that should have been refused was not, or wrote before it was.
public struct UnexpectedSuccess: Error, CustomStringConvertible {
  public let description: String
}

extension GemmTrial {
  /// The error of a run with arguments that `spoil` has broken. Throws where there is none or C was written. Batches of
  /// pointers are left to `spoil`.
  public func refusal(
    _ plan: GemmPlan, _ context: ExecutionContext, _ spoil: (inout GemmArguments) -> Void
  ) throws -> ApusError {
    let c = self.c.memory.copy(.offset(0))
    var arguments = GemmArguments()
    arguments.alpha = alpha
    arguments.beta = beta
    arguments.a = UnsafeRawPointer(a.memory.base)
    arguments.b = UnsafeRawPointer(b.memory.base)
    arguments.c = c.base
    arguments.bias = bias.map { UnsafeRawPointer($0.base) }
    arguments.residual = residual.map { UnsafeRawPointer($0.memory.base) }
    spoil(&arguments)
    do {
      try plan.run(context: context, arguments)
    } catch {
      if c.hasSameBytes(self.c.memory) && c.surroundingsAreIntact { return error }
      throw UnexpectedSuccess(description: "\(self): refused (\(error)), but C was written")
    }
    throw UnexpectedSuccess(description: "\(self): was not refused")
  }
}
