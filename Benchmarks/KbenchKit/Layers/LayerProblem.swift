import ApusEngine

/// A problem of one of the families between the large kernels: an operation, sizes by letters, and options.
public struct LayerProblem: Problem, Equatable {
  /// What a family has: its operations and the letters of each one's sizes.
  struct Grammar: Sendable {
    var operations: [String]
    var letters: [String]
    var hasBackward: Bool
    var hasLayout = false
  }

  let grammar: String
  /// Such as "gelu" or "layer".
  public let operation: String
  /// Sizes by letter.
  public let sizes: [String: Int]
  /// Whether it is the gradient.
  public let isBackward: Bool
  /// Channels are the last dimension.
  public let isChannelsLast: Bool
  /// Type of the data.
  public let type: ElementType

  init(
    _ text: String, type: ElementType, family: String, _ grammar: Grammar
  ) throws(ProblemError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 2, grammar.operations.contains(parts[0]) else {
      throw ProblemError(
        text, "it must begin with one of \(grammar.operations.joined(separator: " ")), a colon and the sizes")
    }
    self.grammar = family
    operation = parts[0]
    var type = type
    var seen: Set<String> = []
    var (back, last) = (false, false)
    for option in parts.dropFirst(2) {
      let subject =
        option == "f32" || option == "f64" ? "type" : option == "nchw" || option == "nhwc" ? "layout" : option
      switch option {
      case "f32", "f64": type = option == "f32" ? .float32 : .float64
      case "forward",
        "backward" where grammar.hasBackward:
        back = option == "backward"
      case "nchw", "nhwc": if grammar.hasLayout { last = option == "nhwc" } else { fallthrough }
      default:
        let known = (grammar.hasBackward ? ["forward", "backward"] : []) + (grammar.hasLayout ? ["nchw", "nhwc"] : [])
        throw ProblemError(text, "'\(option)' is none of \((known + ["f32", "f64"]).joined(separator: " "))")
      }
      if !seen.insert(subject == "forward" ? "backward" : subject).inserted {
        throw ProblemError(text, "it says '\(subject)' twice")
      }
    }
    (isBackward, isChannelsLast, self.type) = (back, last, type)
    var sizes: [String: Int] = [:]
    var rest = parts[1][...]
    while !rest.isEmpty {
      let name = String(rest.prefix(1))
      let digits = rest.dropFirst().prefix { $0.isNumber && $0.isASCII }
      guard grammar.letters.contains(name), let value = Int(digits), value > 0, sizes[name] == nil else {
        throw ProblemError(
          text, "'\(name)\(digits)' is no size: \(grammar.letters.joined(separator: " ")), each once, above 0")
      }
      sizes[name] = value
      rest = rest.dropFirst(1 + digits.count)
    }
    if let missing = grammar.letters.first(where: { sizes[$0] == nil && $0 != "p" }) {
      throw ProblemError(text, "it lacks the size \(missing)")
    }
    self.sizes = sizes
    if footprint > 0x1p50 { throw ProblemError(text, "its arrays take more than 2^50 bytes") }
  }

  func size(_ letter: String) -> Int { sizes[letter] ?? 1 }

  /// The problem string that gives this problem again.
  public var text: String {
    var text = operation + ":" + ["n", "c", "p", "r", "w"].compactMap { l in sizes[l].map { "\(l)\($0)" } }.joined()
    if isBackward { text += ":backward" }
    if isChannelsLast { text += ":nhwc" }
    if type == .float64 { text += ":f64" }
    return text
  }

  /// Operation and direction.
  public var settings: Record {
    var record = Record()
    record["operation"] = .text(operation)
    record["direction"] = .text(isBackward ? "backward" : "forward")
    return record
  }

  /// Elements of a tensor.
  var count: Double { ["n", "c", "p"].reduce(1) { $0 * Double(sizes[$1] ?? 1) } }

  /// None counted: the families are bound by memory.
  public var flops: Double { 0 }

  /// Every array once.
  public var traffic: Traffic {
    let bytes = Double(type.size) * count
    switch grammar {
    case "elementwise":
      return Traffic(read: bytes * (isBackward || operation == "add" ? 2 : 1), written: bytes)
    case "softmax", "norm": return Traffic(read: bytes * (isBackward ? 2 : 1), written: bytes)
    case "loss":
      let reads = operation == "ce" ? 1.0 : 2
      return Traffic(read: bytes * reads, written: isBackward ? bytes : 0)
    case "optimizer":
      let states: Double =
        switch operation {
        case "sgd": 0
        case "momentum", "adagrad", "rmsprop": 1
        default: 2
        }
      return Traffic(read: bytes * (2 + states + (operation == "clipadam" ? 1 : 0)), written: bytes * (1 + states))
    default:
      let rows = Double(size("n")) * Double(size("w")) * Double(type.size)
      let table = Double(size("r")) * Double(size("w")) * Double(type.size)
      return isBackward ? Traffic(read: 2 * rows, written: rows + table) : Traffic(read: rows, written: rows)
    }
  }

  /// All arrays.
  public var footprint: Double {
    Double(type.size) * (6 * count + Double(size("n")) * Double(size("w")) + 2 * Double(size("r")) * Double(size("w")))
  }

  /// Arrays.
  public func makeCase(context: ExecutionContext) throws -> any Case { try LayerCase(self, context: context) }

  /// There are no peers.
  public func makePeerCase(_ library: LoadedLibrary) throws -> any Case {
    throw ProblemError(text, "no library that kbench can load does this")
  }
}
