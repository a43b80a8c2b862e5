import ApusEngine
import ApusTestSupport
import Testing

/// The shapes of use: windows, many to one, one to many, sequence to sequence.
@Suite struct RecurrentUseTests {
  private func problem(_ type: DataType, _ cell: RecurrentCell, _ turn: Int, steps: Int = 9) -> RecurrentDescriptor {
    var d = RecurrentDescriptor(dataType: type, cell: cell, steps: steps, batch: 3, input: 6, hidden: 11 + turn)
    d.layers = 1 + turn % 2
    if cell == .lstm && turn % 3 == 0 {
      d.hasPeepholes = true
      d.projection = 7
    }
    return d
  }

  /// In windows, states carried over, forward has the bits of the whole sequence; backward, state gradients handed to the
  /// window before, its gradients within their bound.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func windows(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    let cuts = [0..<4, 4..<5, 5..<9]
    for (turn, cell) in RecurrentCell.allCases.enumerated() {
      for direction in [RecurrentDirection.forward, .reverse] {
        for hasLengths in [false, true] {
          var d = problem(type, cell, turn)
          d.direction = direction
          let whole = try RecurrentTrial(d, seed: UInt64(turn))
          // Sequences that end in each window.
          if hasLengths { whole.lengths = [9, 2, 6] }
          let result = try whole.run(context)
          let expected = whole.expectation()
          let order = direction == .forward ? cuts : cuts.reversed()
          var state = (h: whole.h0, c: whole.c0)
          var y = result.y
          var parts: [RecurrentTrial] = []
          for range in order {
            let part = try whole.window(range)
            (part.h0, part.c0) = state
            let found = try part.run(context)
            let width = d.batch * d.output
            y.replaceSubrange(range.lowerBound * width..<range.upperBound * width, with: found.y)
            state = (found.hn, cell == .lstm ? found.cn : nil)
            parts.append(part)
          }
          #expect(y == result.y, "\(whole)")
          #expect(state.h == result.hn && state.c ?? [] == result.cn, "\(whole)")

          var found = result
          var run = RecurrentRun()
          run.accumulates = true
          found.dParameters = [Double](repeating: 0, count: found.dParameters.count)
          var gradient = (h: whole.dhn, c: whole.dcn)
          for (range, part) in zip(order, parts).reversed() {
            (part.dhn, part.dcn) = gradient
            part.old.dParameters = found.dParameters
            part.old.dx = part.old.dx.map { _ in 0 }
            part.old.dh0 = part.old.dh0.map { _ in 0 }
            part.old.dc0 = part.old.dc0.map { _ in 0 }
            let back = try part.run(context, run)
            let width = d.batch * d.input
            found.dx.replaceSubrange(range.lowerBound * width..<range.upperBound * width, with: back.dx)
            found.dParameters = back.dParameters
            gradient = (back.dh0, cell == .lstm ? back.dc0 : nil)
          }
          found.dh0 = gradient.h ?? []
          found.dc0 = gradient.c ?? []
          if let objection = whole.objection(found, expected) { Issue.record("in windows: \(objection)") }
        }
      }
    }
  }

  /// A gradient at the last step alone, said in three ways: the same bits.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func manyToOne(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (turn, cell) in RecurrentCell.allCases.enumerated() {
      var d = problem(type, cell, turn)
      d.layers = 1
      let trial = try RecurrentTrial(d, seed: UInt64(turn))
      trial.dhn = nil
      trial.dcn = nil
      let last = (d.steps - 1) * d.batch * d.output
      // What does not count is not read.
      trial.dySteps = (0..<d.steps).map { $0 == d.steps - 1 }
      trial.fillPadding(.nan)
      let byFlags = try trial.run(context)
      if let objection = trial.objection(byFlags, trial.expectation()) { Issue.record("\(objection)") }
      trial.dySteps = nil
      trial.dy = trial.dy.map { $0.enumerated().map { $0 < last ? 0 : $1 } }
      #expect(try trial.run(context) == byFlags, "\(trial)")
      trial.dhn = Array((trial.dy ?? [])[last...])
      trial.dy = nil
      #expect(try trial.run(context) == byFlags, "\(trial)")
    }
  }

  /// Each step's output is the next one's input: single steps have the bits of the sequence that results.
  @Test(arguments: InstructionSet.available, gemmTypes)
  func oneToMany(_ set: InstructionSet, _ type: DataType) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 2)
    for (turn, cell) in RecurrentCell.allCases.enumerated() {
      var d = problem(type, cell, turn, steps: 1)
      d.input = d.output
      let step = try RecurrentTrial(d, seed: UInt64(turn))
      var run = RecurrentRun()
      run.mode = .inference
      run.packs = true
      d.steps = 6
      let whole = try RecurrentTrial(d, seed: UInt64(turn))
      whole.parameters = step.parameters
      (whole.h0, whole.c0) = (step.h0, step.c0)
      whole.x = []
      var y: [Double] = []
      for _ in 0..<d.steps {
        whole.x += step.x
        let found = try step.run(context, run)
        y += found.y
        step.x = found.y
        step.h0 = found.hn
        if cell == .lstm { step.c0 = found.cn }
      }
      let found = try whole.run(context, run)
      #expect(found.y == y && found.hn == step.h0 && found.cn == step.c0 ?? [], "\(whole)")
    }
  }

  /// A decoder begins with the encoder's last states, and sends its gradients back through them: differences of the loss
  /// of both, by the encoder's and the decoder's data.
  @Test(arguments: InstructionSet.available)
  func sequenceToSequence(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    for cell in [RecurrentCell.tanh, .lstm, .gru, .gruResetBefore] {
      var d = RecurrentDescriptor(dataType: .float64, cell: cell, steps: 4, batch: 2, input: 3, hidden: 5)
      d.layers = 2
      let encoder = try RecurrentTrial(d, seed: 1)
      d.steps = 3
      d.input = 6
      let decoder = try RecurrentTrial(d, seed: 2)
      encoder.dy = nil
      encoder.lengths = [4, 2]
      func forward() throws -> Double {
        let states = try encoder.run(context)
        decoder.h0 = states.hn
        decoder.c0 = cell == .lstm ? states.cn : nil
        let found = try decoder.run(context)
        encoder.dhn = found.dh0
        encoder.dcn = cell == .lstm ? found.dc0 : nil
        return zip(found.y, decoder.dy ?? []).reduce(0) { $0 + $1.0 * $1.1 }
          + zip(found.hn, decoder.dhn ?? []).reduce(0) { $0 + $1.0 * $1.1 }
          + zip(found.cn, decoder.dcn ?? []).reduce(0) { $0 + $1.0 * $1.1 }
      }
      _ = try forward()
      let (back, end) = (try encoder.run(context), try decoder.run(context))
      let h = 1e-5
      func check(
        _ name: String, _ gradient: [Double], _ value: (RecurrentTrial) -> [Double], _ trial: RecurrentTrial,
        _ set: (Int, Double) -> Void
      ) throws {
        for i in stride(from: 0, to: gradient.count, by: max(1, gradient.count / 11)) {
          let before = value(trial)[i]
          set(i, before + h)
          let above = try forward()
          set(i, before - h)
          let slope = (above - (try forward())) / (2 * h)
          set(i, before)
          #expect(abs(slope - gradient[i]) < 1e-7, "\(trial): \(name)[\(i)] \(slope) \(gradient[i])")
        }
      }
      try check("encoder's weights", back.dParameters, { $0.parameters }, encoder) { encoder.parameters[$0] = $1 }
      try check("encoder's x", back.dx, { $0.x }, encoder) { encoder.x[$0] = $1 }
      try check("decoder's weights", end.dParameters, { $0.parameters }, decoder) { decoder.parameters[$0] = $1 }
    }
  }

  /// Central differences of the loss by every kind of data, through time, layers and directions.
  @Test(arguments: InstructionSet.available)
  func gradientsAreDifferences(_ set: InstructionSet) throws {
    let context = try ExecutionContext(instructionSet: set, threads: 1)
    var sampler = RecurrentSampler(.float64, seed: 11)
    for _ in 0..<25 {
      let trial = try RecurrentTrial(sampler.problem(products: 3000), seed: sampler.random.next())
      trial.vary(&sampler.random)
      if trial.h0 == nil { trial.h0 = trial.old.hn }
      if trial.descriptor.cell == .lstm && trial.c0 == nil { trial.c0 = trial.old.cn }
      let gradient = try trial.run(context)
      var forward = RecurrentRun()
      forward.mode = .inference
      func loss() throws -> Double {
        let found = try trial.run(context, forward)
        var sum = 0.0
        trial.forEachRow { t, b, row in
          guard let dy = trial.dy, !trial.isPadding(t, b), trial.dySteps?[t] != false else { return }
          for i in row * trial.descriptor.output..<(row + 1) * trial.descriptor.output { sum += dy[i] * found.y[i] }
        }
        sum += zip(found.hn, trial.dhn ?? []).reduce(0) { $0 + $1.0 * $1.1 }
        return sum + zip(found.cn, trial.dcn ?? []).reduce(0) { $0 + $1.0 * $1.1 }
      }
      let h = 1e-6
      func check(_ name: String, _ gradient: [Double], _ get: (Int) -> Double, _ set: (Int, Double) -> Void) throws {
        for _ in 0..<min(4, gradient.count) {
          let i = sampler.random.int(0...gradient.count - 1)
          let before = get(i)
          set(i, before + h)
          let above = try loss()
          set(i, before - h)
          let slope = (above - (try loss())) / (2 * h)
          set(i, before)
          #expect(abs(slope - gradient[i]) < 1e-6 * max(1, abs(slope)), "\(trial): \(name)[\(i)]")
        }
      }
      try check("weights", gradient.dParameters, { trial.parameters[$0] }, { trial.parameters[$0] = $1 })
      try check("x", gradient.dx, { trial.x[$0] }, { trial.x[$0] = $1 })
      try check("h0", gradient.dh0, { trial.h0?[$0] ?? 0 }, { trial.h0?[$0] = $1 })
      try check("c0", gradient.dc0, { trial.c0?[$0] ?? 0 }, { trial.c0?[$0] = $1 })
    }
  }
}
