import ApusEngine

/// Sequences of a batch and windows of a sequence, as trials of their own.
extension RecurrentTrial {
  /// Tensors with a number for each step and sequence, and with one for each recurrence and sequence.
  public enum Part: Sendable {
    /// steps x batch x so many, or batch-major.
    case rows(Int)
    /// layers x directions x batch x so many.
    case states(Int)
  }

  /// What belongs to sequence `b`, as a batch of one has it.
  public func select(_ values: [Double], _ part: Part, _ b: Int) -> [Double] {
    switch part {
    case .rows(let width):
      return (0..<descriptor.steps).flatMap { t in
        let row = RecurrentReference.row(descriptor, t, b)
        return values[row * width..<(row + 1) * width]
      }
    case .states(let width):
      return (0..<descriptor.layers * descriptor.directions).flatMap { recurrence in
        let first = (recurrence * descriptor.batch + b) * width
        return values[first..<first + width]
      }
    }
  }

  /// Sequence `b` alone.
  public func sequence(_ b: Int) throws -> RecurrentTrial {
    var d = descriptor
    d.batch = 1
    let one = try RecurrentTrial(d, seed: 1)
    one.parameters = parameters
    one.x = select(x, .rows(d.input), b)
    one.h0 = h0.map { select($0, .states(d.state), b) }
    one.c0 = c0.map { select($0, .states(d.hidden), b) }
    one.lengths = lengths.map { [$0[b]] }
    one.dy = dy.map { select($0, .rows(d.output), b) }
    one.dhn = dhn.map { select($0, .states(d.state), b) }
    one.dcn = dcn.map { select($0, .states(d.hidden), b) }
    one.dySteps = dySteps
    one.old.y = select(old.y, .rows(d.output), b)
    one.old.dx = select(old.dx, .rows(d.input), b)
    one.old.dh0 = select(old.dh0, .states(d.state), b)
    if d.cell == .lstm { one.old.dc0 = select(old.dc0, .states(d.hidden), b) }
    return one
  }

  /// Steps `range` of time-major sequences; states and their gradients are to be set by the caller.
  public func window(_ range: Range<Int>) throws -> RecurrentTrial {
    precondition(!descriptor.isBatchMajor)
    var d = descriptor
    d.steps = range.count
    let part = try RecurrentTrial(d, seed: 1)
    func rows(_ values: [Double], _ width: Int) -> [Double] {
      Array(values[range.lowerBound * d.batch * width..<range.upperBound * d.batch * width])
    }
    part.parameters = parameters
    part.x = rows(x, d.input)
    part.h0 = h0
    part.c0 = c0
    part.lengths = lengths.map { $0.map { min(max($0 - range.lowerBound, 0), range.count) } }
    part.dy = dy.map { rows($0, d.output) }
    part.dhn = dhn
    part.dcn = dcn
    part.dySteps = dySteps.map { Array($0[range]) }
    part.old.y = rows(old.y, d.output)
    part.old.dx = rows(old.dx, d.input)
    part.old.dParameters = old.dParameters
    return part
  }
}
