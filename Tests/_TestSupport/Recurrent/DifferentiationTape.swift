#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A record of float64 arithmetic that can be differentiated backwards: a reference states the definition of an operation
/// alone, and its gradients follow, independent of any formula for them.
struct DifferentiationTape {
  /// A number on the tape.
  typealias Node = Int
  private enum Operation {
    case given
    /// Neighbouring nodes from `row` on, times those of a list.
    case dot(row: Node, list: Int)
    case sum([Node])
    case product(Node, Node)
    case sigmoid(Node)
    case tanh(Node)
    case relu(Node)
    case clip(Node, Double)
    /// 1 - node.
    case complement(Node)
  }

  private(set) var values: [Double] = []
  private var operations: [Operation] = []
  private var lists: [[Node]] = []

  private mutating func add(_ operation: Operation, _ value: Double) -> Node {
    operations.append(operation)
    values.append(value)
    return values.count - 1
  }

  /// Numbers that nothing was computed for; the first one's node.
  mutating func given(_ numbers: [Double]) -> Node {
    let first = values.count
    for number in numbers { _ = add(.given, number) }
    return first
  }

  /// Nodes to multiply with, many times.
  mutating func list(_ nodes: [Node]) -> Int {
    lists.append(nodes)
    return lists.count - 1
  }

  mutating func dot(row: Node, _ list: Int) -> Node {
    var sum = 0.0
    for (i, node) in lists[list].enumerated() { sum += values[row + i] * values[node] }
    return add(.dot(row: row, list: list), sum)
  }
  mutating func sum(_ nodes: [Node]) -> Node { add(.sum(nodes), nodes.reduce(0) { $0 + values[$1] }) }
  mutating func product(_ a: Node, _ b: Node) -> Node { add(.product(a, b), values[a] * values[b]) }
  mutating func sigmoid(_ a: Node) -> Node { add(.sigmoid(a), 1 / (1 + exp(-values[a]))) }
  mutating func tanh(_ a: Node) -> Node {
    #if canImport(Glibc)
      add(.tanh(a), Glibc.tanh(values[a]))
    #elseif canImport(Musl)
      add(.tanh(a), Musl.tanh(values[a]))
    #else
      add(.tanh(a), Darwin.tanh(values[a]))
    #endif
  }
  mutating func relu(_ a: Node) -> Node { add(.relu(a), values[a] < 0 ? 0 : values[a]) }
  mutating func clip(_ a: Node, _ bound: Double) -> Node {
    add(.clip(a, bound), values[a] > bound ? bound : values[a] < -bound ? -bound : values[a])
  }
  mutating func complement(_ a: Node) -> Node { add(.complement(a), 1 - values[a]) }

  /// Gradients by all nodes of the sum of weight x node over `seeds`.
  func gradients(_ seeds: [(node: Node, weight: Double)]) -> [Double] {
    var result = [Double](repeating: 0, count: values.count)
    for seed in seeds { result[seed.node] += seed.weight }
    for node in values.indices.reversed() {
      let g = result[node]
      if g == 0 { continue }
      switch operations[node] {
      case .given: break
      case .dot(let row, let list):
        for (i, other) in lists[list].enumerated() {
          result[row + i] += g * values[other]
          result[other] += g * values[row + i]
        }
      case .sum(let nodes): for other in nodes { result[other] += g }
      case .product(let a, let b):
        result[a] += g * values[b]
        result[b] += g * values[a]
      case .sigmoid(let a): result[a] += g * values[node] * (1 - values[node])
      case .tanh(let a): result[a] += g * (1 - values[node] * values[node])
      case .relu(let a): if values[a] > 0 { result[a] += g }
      case .clip(let a, let bound): if abs(values[a]) <= bound { result[a] += g }
      case .complement(let a): result[a] -= g
      }
    }
    return result
  }
}
