import ApusEngine
import ApusKernelInterface

/// One matrix multiplication, as a problem string describes it.
public struct GemmProblem: Problem, Equatable {
  /// Rows of C.
  public var m = 0
  /// Columns of C.
  public var n = 0
  /// Products of an element.
  public var k = 0
  /// Type of the data.
  public var type: ElementType
  /// A lies transposed.
  public var transposeA = false
  /// B lies transposed.
  public var transposeB = false
  /// Else row-major.
  public var isColumnMajor = false
  /// Number of matrices.
  public var batch = 1
  /// What C is multiplied by first.
  public var beta: Double = 0
  /// A is packed ahead of time.
  public var packedA = false
  /// B is packed ahead of time.
  public var packedB = false
  /// As `GemmDescriptor.isRowInvariant`.
  public var isRowInvariant = false
  /// Adds one number to each column.
  public var hasBias = false
  /// Applied last.
  public var activation = Activation.identity

  static let activations: [(name: String, value: Activation)] = [
    ("relu", .relu), ("leaky", .leakyReLU), ("elu", .elu), ("sigmoid", .sigmoid), ("tanh", .tanh),
  ]

  /// Reads a problem string; `type` is meant where it names none.
  public init(_ text: String, type: ElementType) throws(ProblemError) {
    self.type = type
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let sizes = parts[0].split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sizes.count == 3, let m = sizes[0], let n = sizes[1], let k = sizes[2], min(m, n, k) >= 1 else {
      throw ProblemError(text, "it must begin with MxNxK, three sizes of at least 1")
    }
    (self.m, self.n, self.k) = (m, n, k)
    var seen: Set<String> = []
    for option in parts.dropFirst() {
      let subject = try apply(option, in: text)
      guard seen.insert(subject).inserted else { throw ProblemError(text, "it says its \(subject) twice") }
    }
    // The footprint is a Double, so sizes that overflow show as absurdly large. 2^50 bytes keeps every index in Int.
    if footprint > 0x1p50 { throw ProblemError(text, "its operands take more than 2^50 bytes") }
  }

  /// Applies one option; returns what it is about, for each may be said once.
  private mutating func apply(_ option: String, in text: String) throws(ProblemError) -> String {
    if let activation = Self.activations.first(where: { $0.name == option }) {
      self.activation = activation.value
      return "activation"
    }
    if let type = ElementType(rawValue: option) {
      self.type = type
      return "type"
    }
    switch option {
    case "NN", "NT", "TN", "TT":
      (transposeA, transposeB) = (option.hasPrefix("T"), option.hasSuffix("T"))
      return "transposition"
    case "col": isColumnMajor = true
    case "packa": packedA = true
    case "packb": packedB = true
    case "rowinv": isRowInvariant = true
    case "bias": hasBias = true
    case _ where option.hasPrefix("beta="):
      guard let beta = Double(option.dropFirst(5)), beta.isFinite else {
        throw ProblemError(text, "'\(option)' must be beta= and a finite number")
      }
      self.beta = beta
      return "beta"
    case _ where option.hasPrefix("b") && option.dropFirst().allSatisfy(\.isNumber):
      guard let batch = Int(option.dropFirst()), batch >= 1 else {
        throw ProblemError(text, "'\(option)' must be b and the number of matrices, at least 1")
      }
      self.batch = batch
      return "batch"
    default:
      throw ProblemError(
        text,
        "'\(option)' is none of NN NT TN TT f32 f64 col bCOUNT beta=X packa packb rowinv bias relu leaky elu sigmoid tanh"
      )
    }
    return option
  }

  /// The problem string that gives this problem again.
  public var text: String {
    var text = "\(m)x\(n)x\(k)"
    if transposeA || transposeB { text += ":" + transposition }
    if type == .float64 { text += ":f64" }
    if isColumnMajor { text += ":col" }
    if batch > 1 { text += ":b\(batch)" }
    if beta != 0 { text += ":beta=" + (beta == beta.rounded() && abs(beta) < 1e6 ? "\(Int(beta))" : "\(beta)") }
    if packedA { text += ":packa" }
    if packedB { text += ":packb" }
    if isRowInvariant { text += ":rowinv" }
    if hasBias { text += ":bias" }
    if let name = Self.activations.first(where: { $0.value == activation })?.name { text += ":" + name }
    return text
  }

  /// "NN", "NT", "TN" or "TT".
  public var transposition: String { (transposeA ? "T" : "N") + (transposeB ? "T" : "N") }

  /// Sizes, transposition and batch.
  public var settings: Record {
    var record = Record()
    record["m"] = .integer(m)
    record["n"] = .integer(n)
    record["k"] = .integer(k)
    record["trans"] = .text(transposition)
    record["batch"] = .integer(batch)
    return record
  }

  /// A multiply-add counts as two.
  public var flops: Double { 2 * Double(m) * Double(n) * Double(k) * Double(batch) }

  /// Every operand once.
  public var traffic: Traffic {
    let (m, n, k, size) = (Double(m), Double(n), Double(k), Double(type.size))
    // C is read where beta is not zero. A batch shares a packed operand.
    let a = m * k * (packedA ? 1 : Double(batch))
    let b = k * n * (packedB ? 1 : Double(batch))
    let c = m * n * Double(batch)
    return Traffic(read: size * (a + b + (beta != 0 ? c : 0) + (hasBias ? n : 0)), written: size * c)
  }

  /// With what C was before, and packed copies.
  public var footprint: Double {
    let (m, n, k, size) = (Double(m), Double(n), Double(k), Double(type.size))
    let copies = (packedA ? m * k : 0) + (packedB ? k * n : 0)
    return size * ((m * k + k * n + m * n * (beta != 0 ? 2 : 1)) * Double(batch) + copies)
  }

  /// Operands and a plan.
  public func makeCase(context: ExecutionContext) throws -> any Case { try GemmCase(self, context: context) }

  /// Operands and a peer's function.
  public func makePeerCase(_ library: LoadedLibrary) throws -> any Case { try BlasCase(self, library: library) }
}
