import ApusEngine

/// Recurrent layers by the definitions that the C header states, sequence by sequence, unit by unit, in float64.
struct RecurrentReference {
  typealias Node = DifferentiationTape.Node
  private let d: RecurrentDescriptor
  private(set) var tape = DifferentiationTape()
  let parameters: Node
  let x: Node
  let h0: Node
  let c0: Node
  /// Time-major, as x is laid out: nil in the padding.
  private(set) var y: [Node?]
  private(set) var hn: [Node]
  private(set) var cn: [Node]

  init(
    _ d: RecurrentDescriptor, parameters: [Double], x: [Double], h0: [Double]?, c0: [Double]?, lengths: [Int]?
  ) {
    self.d = d
    let recurrences = d.layers * d.directions * d.batch
    func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }
    self.parameters = tape.given(parameters)
    self.x = tape.given(x)
    self.h0 = tape.given(h0 ?? zeros(recurrences * d.state))
    self.c0 = tape.given(c0 ?? zeros(recurrences * d.hidden))
    y = [Node?](repeating: nil, count: d.steps * d.batch * d.output)
    hn = [Node](repeating: 0, count: recurrences * d.state)
    cn = [Node](repeating: 0, count: recurrences * d.hidden)
    for b in 0..<d.batch { run(b, length: lengths?[b] ?? d.steps) }
  }

  /// Row of step `t` of sequence `b`.
  static func row(_ d: RecurrentDescriptor, _ t: Int, _ b: Int) -> Int {
    d.isBatchMajor ? b * d.steps + t : t * d.batch + b
  }

  private mutating func run(_ b: Int, length: Int) {
    var input = (0..<length).map { t in
      (0..<d.input).map { x + Self.row(d, t, b) * d.input + $0 }
    }
    for layer in 0..<d.layers {
      var outputs: [[[Node]]] = []
      let lists = input.map { tape.list($0) }
      for direction in 0..<d.directions {
        let recurrence = (layer * d.directions + direction) * d.batch + b
        var h = (0..<d.state).map { h0 + recurrence * d.state + $0 }
        var c = (0..<d.hidden).map { c0 + recurrence * d.hidden + $0 }
        var output = [[Node]](repeating: [], count: length)
        let isReverse = d.direction == .reverse || direction == 1
        for s in 0..<length {
          let t = isReverse ? length - 1 - s : s
          (h, c) = step(layer, direction, lists[t], h, c)
          output[t] = h
        }
        outputs.append(output)
        hn.replaceSubrange(recurrence * d.state..<(recurrence + 1) * d.state, with: h)
        cn.replaceSubrange(recurrence * d.hidden..<(recurrence + 1) * d.hidden, with: c)
      }
      input = (0..<length).map { t in
        switch d.direction {
        case .forward, .reverse: outputs[0][t]
        case .bidirectionalConcatenated: outputs[0][t] + outputs[1][t]
        case .bidirectionalSummed: zip(outputs[0][t], outputs[1][t]).map { tape.sum([$0, $1]) }
        }
      }
    }
    for t in 0..<length {
      for (i, node) in input[t].enumerated() { y[Self.row(d, t, b) * d.output + i] = node }
    }
  }

  /// h and c after a step.
  private mutating func step(
    _ layer: Int, _ direction: Int, _ x: Int, _ h: [Node], _ c: [Node]
  ) -> (h: [Node], c: [Node]) {
    func place(_ which: RecurrentParameter) -> (first: Node, columns: Int)? {
      d.parameter(which, layer: layer, direction: direction).map { (parameters + $0.offset, $0.columns) }
    }
    let w = place(.inputWeights)!
    let u = place(.recurrentWeights)!
    let b = place(.inputBias)?.first
    let e = place(.recurrentBias)?.first
    let units = 0..<d.hidden
    let hList = tape.list(h)
    /// The parts of gate `gate` of a unit.
    func from(_ tape: inout DifferentiationTape, _ gate: Int, _ unit: Int) -> [Node] {
      let row = gate * d.hidden + unit
      return [tape.dot(row: w.first + row * w.columns, x)] + (b.map { [$0 + row] } ?? [])
    }
    func recurrent(_ tape: inout DifferentiationTape, _ gate: Int, _ unit: Int, _ list: Int) -> [Node] {
      let row = gate * d.hidden + unit
      return [tape.dot(row: u.first + row * u.columns, list)] + (e.map { [$0 + row] } ?? [])
    }
    func both(_ tape: inout DifferentiationTape, _ gate: Int, _ unit: Int) -> [Node] {
      from(&tape, gate, unit) + recurrent(&tape, gate, unit, hList)
    }
    switch d.cell {
    case .tanh: return (units.map { tape.tanh(tape.sum(both(&tape, 0, $0))) }, c)
    case .relu: return (units.map { tape.relu(tape.sum(both(&tape, 0, $0))) }, c)
    case .lstm:
      let peepholes = place(.peepholes)?.first
      var cNew: [Node] = []
      var m: [Node] = []
      for unit in units {
        var (i, f, g, o) = (
          both(&tape, 0, unit), both(&tape, 1, unit), both(&tape, 2, unit), both(&tape, 3, unit)
        )
        if let peepholes {
          i.append(tape.product(peepholes + unit, c[unit]))
          f.append(tape.product(peepholes + d.hidden + unit, c[unit]))
        }
        let kept = tape.product(tape.sigmoid(tape.sum(f)), c[unit])
        let added = tape.product(tape.sigmoid(tape.sum(i)), tape.tanh(tape.sum(g)))
        var next = tape.sum([kept, added])
        if d.cellClip > 0 { next = tape.clip(next, d.cellClip) }
        if let peepholes { o.append(tape.product(peepholes + 2 * d.hidden + unit, next)) }
        cNew.append(next)
        m.append(tape.product(tape.sigmoid(tape.sum(o)), tape.tanh(next)))
      }
      guard let projection = place(.projection) else { return (m, cNew) }
      let list = tape.list(m)
      return ((0..<d.projection).map { tape.dot(row: projection.first + $0 * projection.columns, list) }, cNew)
    case .gru, .gruResetBefore:
      let r = units.map { tape.sigmoid(tape.sum(both(&tape, 0, $0))) }
      let z = units.map { tape.sigmoid(tape.sum(both(&tape, 1, $0))) }
      let reset = d.cell == .gruResetBefore ? tape.list(units.map { tape.product(r[$0], h[$0]) }) : 0
      let new = units.map { unit in
        var n: Node
        if d.cell == .gru {
          n = tape.product(r[unit], tape.sum(recurrent(&tape, 2, unit, hList)))
        } else {
          n = tape.sum(recurrent(&tape, 2, unit, reset))
        }
        n = tape.tanh(tape.sum(from(&tape, 2, unit) + [n]))
        return tape.sum([tape.product(tape.complement(z[unit]), n), tape.product(z[unit], h[unit])])
      }
      return (new, c)
    }
  }
}
