import ApusEngine

/// One pooling, as a problem string describes it.
public struct PoolProblem: Problem, Equatable {
  /// Everything but the direction.
  public var descriptor: PoolingDescriptor
  /// Forward or backward.
  public var direction = PoolingDirection.forward
  /// Forward writes the indices of a maximum.
  public var withIndices = false
  /// Size of the output.
  public let output: Extents

  /// Type of the data.
  public var type: ElementType { descriptor.dataType == .float32 ? .float32 : .float64 }

  /// Reads a problem string; `type` is meant where it names none.
  public init(_ text: String, type: ElementType) throws(ProblemError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 2, let (kind, norm) = Self.kind(parts[0]) else {
      throw ProblemError(text, "it must begin with max, avg, avgpad or lpP, a colon and the sizes")
    }
    var options = PoolOptions(type)
    for option in parts.dropFirst(2) { try options.apply(option, in: text) }
    let sizes = try PoolSizes(parts[1], in: text)
    var window = try sizes.window(isGlobal: options.isGlobal, in: text)
    window.rounding = options.rounding
    descriptor = PoolingDescriptor(
      dataType: options.type == .float32 ? .float32 : .float64, kind: kind, batch: sizes["n"] ?? 1,
      channels: sizes["c"] ?? 1, window: window)
    descriptor.layout = options.layout
    descriptor.norm = norm
    descriptor.indexType = options.indexType
    descriptor.adaptiveOutput = try sizes.adaptiveOutput(in: text)
    direction = options.direction
    withIndices = options.withIndices
    if withIndices && (kind != .maximum || direction != .forward) {
      throw ProblemError(text, "idx is for max and forward only: backward always takes the indices")
    }
    if descriptor.batch < 1 || descriptor.channels < 1 { throw ProblemError(text, "n and c must be at least 1") }
    do throws(ApusError) {
      output = try descriptor.outputSize()
    } catch {
      throw ProblemError(text, error.message)
    }
    if footprint > 0x1p50 { throw ProblemError(text, "its tensors take more than 2^50 bytes") }
  }

  private static func kind(_ word: String) -> (PoolingKind, Double)? {
    switch word {
    case "max": return (.maximum, 2)
    case "avg": return (.average, 2)
    case "avgpad": return (.averageIncludingPadding, 2)
    case _ where word.hasPrefix("lp"):
      guard let norm = Double(word.dropFirst(2)), norm > 0, norm.isFinite else { return nil }
      return (.norm, norm)
    default: return nil
    }
  }

  /// The problem string that gives this problem again.
  public var text: String {
    var text = descriptor.problemString
    if direction == .backwardData { text += ":backward" }
    if withIndices { text += ":idx" }
    if descriptor.kind == .maximum && descriptor.indexType == .int64 { text += ":i64" }
    if type == .float64 { text += ":f64" }
    return text
  }

  /// Kind, direction, layout and sizes.
  public var settings: Record {
    var record = Record()
    record["kind"] = .text("\(descriptor.kind)")
    record["direction"] = .text(direction == .forward ? "forward" : "backward")
    record["layout"] = .text(descriptor.layout == .channelsLast ? "nhwc" : "nchw")
    record["batch"] = .integer(descriptor.batch)
    record["channels"] = .integer(descriptor.channels)
    return record
  }

  /// Elements of x and of y.
  var counts: (x: Int, y: Int) {
    let planes = descriptor.batch * descriptor.channels
    return (planes * descriptor.window.input.product, planes * output.product)
  }

  /// One for each element of each window.
  public var flops: Double {
    let (x, y) = counts
    let window = descriptor.adaptiveOutput == nil ? Double(descriptor.window.window.product) : 1
    return max(Double(y) * window, Double(x))
  }

  /// x and y once, or dx and dy; a norm goes back by x and y too, a maximum by its indices.
  public var traffic: Traffic {
    let size = Double(type.size)
    let (x, y) = (Double(counts.x), Double(counts.y))
    let indices = y * Double(descriptor.indexType.size)
    if direction == .forward {
      return Traffic(read: size * x, written: size * y + (withIndices ? indices : 0))
    }
    let more = descriptor.kind == .maximum ? indices : descriptor.kind == .norm ? size * (x + y) : 0
    return Traffic(read: size * y + more, written: size * x)
  }

  /// All tensors.
  public var footprint: Double {
    let (x, y) = (Double(counts.x), Double(counts.y))
    return Double(type.size) * 2 * (x + y) + y * Double(descriptor.indexType.size)
  }

  /// Tensors and a plan.
  public func makeCase(context: ExecutionContext) throws -> any Case { try PoolCase(self, context: context) }

  /// There are no peers.
  public func makePeerCase(_ library: LoadedLibrary) throws -> any Case {
    throw ProblemError(text, "no library that kbench can load pools")
  }
}

/// The words behind the sizes.
private struct PoolOptions {
  var type: ElementType
  var layout = TensorLayout.channelsFirst
  var direction = PoolingDirection.forward
  var rounding = WindowRounding.floor
  var indexType = DataType.int32
  var withIndices = false
  var isGlobal = false
  private var seen: Set<String> = []

  init(_ type: ElementType) { self.type = type }

  mutating func apply(_ option: String, in text: String) throws(ProblemError) {
    var subject = option
    switch option {
    case "f32", "f64": (type, subject) = (option == "f32" ? .float32 : .float64, "type")
    case "nchw", "nhwc": (layout, subject) = (option == "nchw" ? .channelsFirst : .channelsLast, "layout")
    case "forward", "backward":
      (direction, subject) = (option == "forward" ? .forward : .backwardData, "direction")
    case "floor": (rounding, subject) = (.floor, "rounding")
    case "ceil": (rounding, subject) = (.ceil, "rounding")
    case "strict": (rounding, subject) = (.strict, "rounding")
    case "idx": withIndices = true
    case "i64": indexType = .int64
    case "global": isGlobal = true
    default:
      throw ProblemError(
        text, "'\(option)' is none of nchw nhwc forward backward floor ceil strict idx i64 global f32 f64")
    }
    if !seen.insert(subject).inserted { throw ProblemError(text, "it says its \(subject) twice") }
  }
}

/// Letters with numbers.
private struct PoolSizes {
  private var values: [String: Int] = [:]
  private static let dimensions = ["d", "h", "w"]

  subscript(_ key: String) -> Int? { values[key] }

  init(_ word: String, in text: String) throws(ProblemError) {
    var rest = word[...]
    while !rest.isEmpty {
      let name = String(rest.prefix { $0.isLowercase && $0.isASCII })
      let digits = rest.dropFirst(name.count).prefix { $0.isNumber && $0.isASCII }
      rest = rest.dropFirst(name.count + digits.count)
      let isKnown =
        ["n", "c", "d", "h", "w"].contains(name)
        || name.first.map { "kspaeo".contains($0) } == true
          && (name.count == 1 || name.count == 2 && Self.dimensions.contains(String(name.suffix(1))))
      guard isKnown, let value = Int(digits) else {
        throw ProblemError(text, "'\(name)\(digits)' is no size: n c d h w k s p a e o with a number")
      }
      if values.updateValue(value, forKey: name) != nil { throw ProblemError(text, "it says its \(name) twice") }
    }
  }

  private var rank: Int { values["d"] != nil ? 3 : values["h"] != nil ? 2 : 1 }

  /// The numbers of one letter, for each dimension.
  private func extents(_ letter: String, _ otherwise: Extents) -> Extents {
    var result = otherwise
    for i in 3 - rank..<3 {
      if let value = values[letter + Self.dimensions[i]] ?? values[letter] { result[i] = value }
    }
    return result
  }
  private func says(_ letter: String) -> Bool { values.keys.contains { $0.hasPrefix(letter) } }

  func window(isGlobal: Bool, in text: String) throws(ProblemError) -> SpatialWindow {
    var input = Extents(repeating: 1)
    for i in 3 - rank..<3 {
      guard let value = values[Self.dimensions[i]] else {
        throw ProblemError(text, "it lacks the size \(Self.dimensions[i])")
      }
      input[i] = value
    }
    if isGlobal {
      if ["k", "s", "p", "a", "e", "o"].contains(where: says) {
        throw ProblemError(text, "global has no k s p a e o: the window is the input")
      }
      return SpatialWindow(rank: rank, input: input, window: input)
    }
    let ones = Extents(repeating: 1)
    if says("o") {
      if ["k", "s", "p", "a", "e"].contains(where: says) { throw ProblemError(text, "with o it has no k s p a e") }
      return SpatialWindow(rank: rank, input: input, window: ones)
    }
    guard says("k") else { throw ProblemError(text, "it lacks a window k, an output o or the option global") }
    var window = SpatialWindow(rank: rank, input: input, window: extents("k", ones))
    window.stride = extents("s", window.window)
    window.dilation = extents("e", ones)
    window.padBefore = extents("p", Extents(repeating: 0))
    window.padAfter = extents("a", window.padBefore)
    return window
  }

  func adaptiveOutput(in text: String) throws(ProblemError) -> Extents? {
    says("o") ? extents("o", Extents(repeating: 1)) : nil
  }
}
