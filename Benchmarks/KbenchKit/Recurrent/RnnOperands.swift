import ApusEngine

/// The tensors of a problem: the same for every library.
final class RnnOperands {
  let problem: RnnProblem
  let parameters: Buffer
  let x: Buffer
  let y: Buffer
  let dy: Buffer?
  let dx: Buffer?
  let dParameters: Buffer?

  init(_ problem: RnnProblem) throws {
    self.problem = problem
    let d = problem.descriptor
    let type = problem.type
    let (xs, ys) = (problem.rows * d.input, problem.rows * d.output)
    parameters = try Buffer(bytes: problem.parameterCount * type.size)
    x = try Buffer(bytes: xs * type.size, offset: 1024)
    y = try Buffer(bytes: ys * type.size, offset: 2048)
    let isBackward = problem.isBackward
    dy = isBackward ? try Buffer(bytes: ys * type.size, offset: 512) : nil
    dx = isBackward ? try Buffer(bytes: xs * type.size, offset: 3072) : nil
    dParameters = isBackward ? try Buffer(bytes: problem.parameterCount * type.size, offset: 1536) : nil
    x.fill(type, count: xs, seed: 1)
    dy?.fill(type, count: ys, seed: 4)
    parameters.fill(type, count: problem.parameterCount, seed: 2)
    // As trained layers have them: sums of about 1.
    var scale = 1.0
    while scale * scale * Double(max(d.hidden, d.layerInput(0))) > 4 { scale /= 2 }
    for i in 0..<problem.parameterCount { parameters.store(type, i, scale * parameters.element(type, i)) }
  }

  /// Leaves dy zero but in some sequences, so that gradients are those sequences' alone; nil: as it was.
  func restrictGradient(to sequences: [Int]?) {
    guard let dy else { return }
    let d = problem.descriptor
    dy.fill(problem.type, count: problem.rows * d.output, seed: 4)
    guard let sequences else { return }
    let kept = Set(sequences)
    for b in 0..<d.batch where !kept.contains(b) {
      for t in 0..<d.steps {
        for i in 0..<d.output { dy.store(problem.type, row(t, b) * d.output + i, 0) }
      }
    }
  }

  /// Row of step `t` of sequence `b`.
  func row(_ t: Int, _ b: Int) -> Int {
    problem.descriptor.isBatchMajor ? b * problem.descriptor.steps + t : t * problem.descriptor.batch + b
  }
}

extension Buffer {
  /// Sets element `i`, rounded.
  @inline(__always) func store(_ type: ElementType, _ i: Int, _ value: Double) {
    switch type {
    case .float32: pointer.assumingMemoryBound(to: Float.self)[i] = Float(value)
    case .float64: pointer.assumingMemoryBound(to: Double.self)[i] = value
    }
  }
}
