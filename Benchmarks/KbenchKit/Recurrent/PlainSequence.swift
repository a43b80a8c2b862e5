import ApusEngine
import Foundation

/// One sequence through all layers by the definitions of the C header, and back through time by their derivatives.
struct PlainSequence {
  /// What a recurrence keeps of a step.
  private struct Step {
    var x: [Double]
    var h0: [Double]
    var c0: [Double]
    /// i f g o, or r z n, of every unit: gate by gate.
    var gates: [Double]
    /// Un h + dn of a GRU; r * h of one that resets before.
    var q: [Double] = []
    /// What is projected.
    var m: [Double] = []
    var raw: [Double] = []
    var c: [Double]
    var h: [Double]
  }

  /// Outputs of the last layer.
  private(set) var outputs: [[Double]]
  private let d: RecurrentDescriptor
  private let w: [Double]
  /// Layer by layer, direction by direction, in the order of time.
  private var steps: [[Step]] = []

  init(_ d: RecurrentDescriptor, _ parameters: [Double], _ x: [[Double]]) {
    self.d = d
    w = parameters
    outputs = x
    for layer in 0..<d.layers {
      var next = [[Double]](repeating: [Double](repeating: 0, count: d.output), count: d.steps)
      for direction in 0..<d.directions {
        var h = [Double](repeating: 0, count: d.state)
        var c = [Double](repeating: 0, count: d.hidden)
        var kept: [Step?] = [Step?](repeating: nil, count: d.steps)
        for t in times(direction) {
          let step = forward(layer, direction, outputs[t], h, c)
          (h, c) = (step.h, step.c)
          kept[t] = step
          let first = d.direction == .bidirectionalConcatenated ? direction * d.state : 0
          for i in 0..<d.state { next[t][first + i] += h[i] }
        }
        steps.append(kept.compactMap { $0 })
      }
      outputs = next
    }
  }

  private func times(_ direction: Int) -> [Int] {
    let all = Array(0..<d.steps)
    return d.direction == .reverse || direction == 1 ? all.reversed() : all
  }

  private func place(_ which: RecurrentParameter, _ layer: Int, _ direction: Int) -> Int? {
    d.parameter(which, layer: layer, direction: direction)?.offset
  }

  /// row . v, of a matrix at `first`.
  private func dot(_ first: Int, _ row: Int, _ v: [Double]) -> Double {
    var sum = 0.0
    let start = first + row * v.count
    w.withUnsafeBufferPointer { w in
      v.withUnsafeBufferPointer { v in
        for i in 0..<v.count { sum += w[start + i] * v[i] }
      }
    }
    return sum
  }

  private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  private func forward(
    _ layer: Int, _ direction: Int, _ x: [Double], _ h: [Double], _ c: [Double]
  ) -> Step {
    let wi = place(.inputWeights, layer, direction) ?? 0
    let wr = place(.recurrentWeights, layer, direction) ?? 0
    let (bi, br) = (place(.inputBias, layer, direction), place(.recurrentBias, layer, direction))
    let n = d.hidden
    let rows = d.cell.gates * n
    let resetsBefore = d.cell == .gruResetBefore
    let pre = (0..<rows).map { row in dot(wi, row, x) + (bi.map { w[$0 + row] } ?? 0) }
    let rec = (0..<rows).map { row in
      (resetsBefore && row >= 2 * n ? 0 : dot(wr, row, h)) + (br.map { w[$0 + row] } ?? 0)
    }
    var s = Step(x: x, h0: h, c0: c, gates: [Double](repeating: 0, count: rows), c: c, h: h)
    switch d.cell {
    case .tanh: s.h = (0..<n).map { tanh(pre[$0] + rec[$0]) }
    case .relu: s.h = (0..<n).map { max(0, pre[$0] + rec[$0]) }
    case .lstm:
      let p = place(.peepholes, layer, direction)
      func peep(_ row: Int, _ u: Int, _ c: Double) -> Double { p.map { w[$0 + row * n + u] * c } ?? 0 }
      s.m = s.c
      s.raw = s.c
      for u in 0..<n {
        let i = sigmoid(pre[u] + rec[u] + peep(0, u, c[u]))
        let f = sigmoid(pre[n + u] + rec[n + u] + peep(1, u, c[u]))
        let g = tanh(pre[2 * n + u] + rec[2 * n + u])
        s.raw[u] = f * c[u] + i * g
        s.c[u] = d.cellClip > 0 ? min(max(s.raw[u], -d.cellClip), d.cellClip) : s.raw[u]
        let o = sigmoid(pre[3 * n + u] + rec[3 * n + u] + peep(2, u, s.c[u]))
        s.m[u] = o * tanh(s.c[u])
        (s.gates[u], s.gates[n + u], s.gates[2 * n + u], s.gates[3 * n + u]) = (i, f, g, o)
      }
      s.h = place(.projection, layer, direction).map { p in (0..<d.projection).map { dot(p, $0, s.m) } } ?? s.m
    case .gru, .gruResetBefore:
      for u in 0..<2 * n { s.gates[u] = sigmoid(pre[u] + rec[u]) }
      s.q = resetsBefore ? (0..<n).map { s.gates[$0] * h[$0] } : Array(rec[(2 * n)...])
      for u in 0..<n {
        let sum = resetsBefore ? rec[2 * n + u] + dot(wr, 2 * n + u, s.q) : s.gates[u] * s.q[u]
        s.gates[2 * n + u] = tanh(pre[2 * n + u] + sum)
        s.h[u] = (1 - s.gates[n + u]) * s.gates[2 * n + u] + s.gates[n + u] * h[u]
      }
    }
    return s
  }

  /// Gradients by x; those by the parameters are added to `dw`.
  mutating func backward(_ dy: [[Double]], into dw: inout [Double]) -> [[Double]] {
    var above = dy
    for layer in (0..<d.layers).reversed() {
      var below = [[Double]](
        repeating: [Double](repeating: 0, count: d.layerInput(layer)), count: d.steps)
      for direction in 0..<d.directions {
        var dh = [Double](repeating: 0, count: d.state)
        var dc = [Double](repeating: 0, count: d.hidden)
        let first = d.direction == .bidirectionalConcatenated ? direction * d.state : 0
        for t in times(direction).reversed() {
          for i in 0..<d.state { dh[i] += above[t][first + i] }
          step(layer, direction, steps[layer * d.directions + direction][t], &dh, &dc, &below[t], &dw)
        }
      }
      above = below
    }
    return above
  }

  /// dv += g row, d(row) += g v.
  private func undot(
    _ first: Int, _ row: Int, _ g: Double, _ v: [Double], _ dv: inout [Double], _ dw: inout [Double]
  ) {
    let start = first + row * v.count
    w.withUnsafeBufferPointer { w in
      dv.withUnsafeMutableBufferPointer { dv in
        dw.withUnsafeMutableBufferPointer { dw in
          for i in 0..<v.count {
            dv[i] += g * w[start + i]
            dw[start + i] += g * v[i]
          }
        }
      }
    }
  }

  private func step(
    _ layer: Int, _ direction: Int, _ s: Step, _ dh: inout [Double], _ dc: inout [Double], _ dx: inout [Double],
    _ dw: inout [Double]
  ) {
    let wi = place(.inputWeights, layer, direction) ?? 0
    let wr = place(.recurrentWeights, layer, direction) ?? 0
    let n = d.hidden
    let rows = d.cell.gates * n
    var pre = [Double](repeating: 0, count: rows)
    var rec = pre
    var back = [Double](repeating: 0, count: d.state)
    let g = s.gates
    switch d.cell {
    case .tanh: for u in 0..<n { pre[u] = dh[u] * (1 - s.h[u] * s.h[u]) }
    case .relu: for u in 0..<n { pre[u] = s.h[u] > 0 ? dh[u] : 0 }
    case .lstm:
      var dm = d.projection > 0 ? [Double](repeating: 0, count: n) : dh
      if let p = place(.projection, layer, direction) {
        for row in 0..<d.projection { undot(p, row, dh[row], s.m, &dm, &dw) }
      }
      let p = place(.peepholes, layer, direction)
      for u in 0..<n {
        let (i, f, new, o, t) = (g[u], g[n + u], g[2 * n + u], g[3 * n + u], tanh(s.c[u]))
        let byO = dm[u] * t * o * (1 - o)
        var byC = dc[u] + dm[u] * o * (1 - t * t) + (p.map { byO * w[$0 + 2 * n + u] } ?? 0)
        if d.cellClip > 0 && abs(s.raw[u]) > d.cellClip { byC = 0 }
        let (byI, byF) = (byC * new * i * (1 - i), byC * s.c0[u] * f * (1 - f))
        dc[u] = byC * f
        if let p {
          dc[u] += byI * w[p + u] + byF * w[p + n + u]
          dw[p + u] += byI * s.c0[u]
          dw[p + n + u] += byF * s.c0[u]
          dw[p + 2 * n + u] += byO * s.c[u]
        }
        (pre[u], pre[n + u], pre[2 * n + u], pre[3 * n + u]) = (byI, byF, byC * i * (1 - new * new), byO)
      }
    case .gru, .gruResetBefore:
      for u in 0..<n {
        let (r, z, new) = (g[u], g[n + u], g[2 * n + u])
        let byN = dh[u] * (1 - z) * (1 - new * new)
        back[u] += dh[u] * z
        pre[2 * n + u] = byN
        pre[n + u] = dh[u] * (s.h0[u] - new) * z * (1 - z)
        if d.cell == .gru { pre[u] = byN * s.q[u] * r * (1 - r) }
      }
      if d.cell == .gruResetBefore {
        var dq = [Double](repeating: 0, count: n)
        for u in 0..<n { undot(wr, 2 * n + u, pre[2 * n + u], s.q, &dq, &dw) }
        for u in 0..<n {
          back[u] += dq[u] * g[u]
          pre[u] = dq[u] * s.h0[u] * g[u] * (1 - g[u])
        }
      }
    }
    rec = pre
    if d.cell == .gru { for u in 0..<n { rec[2 * n + u] = pre[2 * n + u] * g[u] } }
    for row in 0..<rows {
      undot(wi, row, pre[row], s.x, &dx, &dw)
      if d.cell != .gruResetBefore || row < 2 * n { undot(wr, row, rec[row], s.h0, &back, &dw) }
      if let b = place(.inputBias, layer, direction) { dw[b + row] += pre[row] }
      if let b = place(.recurrentBias, layer, direction) { dw[b + row] += rec[row] }
    }
    dh = back
  }
}
