import ApusEngine

/// A family of operations that kbench can measure: matrix multiplication now, convolution and the others later. A new one
/// brings its problems, its presets and its peers; measuring, comparing and writing are the same for all.
public protocol Family {
  /// As the command line has it: `kbench gemm`.
  static var name: String { get }
  /// The problem strings, for --help.
  static var grammar: String { get }
  /// Lists of problems with a name. The first is the default one.
  static var presets: [Preset] { get }
  /// Options of the command line that choose words for problems that have none of them. None, unless a family has some.
  static var choices: [FamilyChoice] { get }
  /// Whether problem strings begin with n and the batch, and may leave both out: then --batch says it, or it is 1.
  static var hasBatch: Bool { get }
  /// Libraries that do the same.
  static var peers: [PeerLibrary] { get }
  /// Reads a problem string; `type` is meant where it names none.
  static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem
  /// What `--library` takes, for --help.
  static var libraryGrammar: String { get }
  /// Reads what `--library` takes.
  static func library(_ text: String) throws(ProblemError) -> PeerLibrary
  /// What a library that was loaded says of itself. Throws where the family cannot use it.
  static func version(_ library: LoadedLibrary) throws(PeerError) -> String
}

extension Family {
  /// No choices.
  public static var choices: [FamilyChoice] { [] }
  /// No.
  public static var hasBatch: Bool { false }
  /// A path and a function.
  public static var libraryGrammar: String { "NAME=PATH[:SYMBOL]; in SYMBOL, ? stands for the type's letter" }
  /// A path and a function.
  public static func library(_ text: String) throws(ProblemError) -> PeerLibrary {
    try PeerLibrary.parse(text, standard: peers.first?.symbol ?? "")
  }
  /// What its version function returns.
  public static func version(_ library: LoadedLibrary) throws(PeerError) -> String { library.version }

  /// The widest name of an algorithm that `--algorithm` takes; nil where there is no choice.
  public static var algorithmWidth: Int? { choices.first { $0.name == "algorithm" }?.words.map(\.count).max() }
}

/// Words of problem strings of which one holds, such as the directions, and the option that chooses one.
public struct FamilyChoice: Sendable {
  /// As the option is called, without its dashes.
  public var name: String
  /// The words.
  public var words: [String]
  /// What stands before a word in problem strings.
  public var prefix: String

  /// A choice.
  public init(_ name: String, _ words: [String], prefix: String = "") {
    self.name = name
    self.words = words
    self.prefix = prefix
  }
}

/// Problems with a name.
public struct Preset: Sendable {
  /// As --preset takes it.
  public var name: String
  /// Problem strings.
  public var problems: [String]

  /// A list of problem strings.
  public init(_ name: String, _ problems: [String]) {
    self.name = name
    self.problems = problems
  }
}

/// One problem of a family.
public protocol Problem: Sendable {
  /// The problem string that gives this problem again, the type included.
  var text: String { get }
  /// Type of the data.
  var type: ElementType { get }
  /// What CSV and JSON say of it beyond its text.
  var settings: Record { get }
  /// Operations of one run; a multiply-add counts as two.
  var flops: Double { get }
  /// Bytes that one run moves at least.
  var traffic: Traffic { get }
  /// Memory that operands and reference take.
  var footprint: Double { get }
  /// Operands and a plan of Apus.
  func makeCase(context: ExecutionContext) throws -> any Case
  /// The same operands and a peer's function.
  func makePeerCase(_ library: LoadedLibrary) throws -> any Case
}

/// A problem that is ready to run.
public protocol Case: AnyObject {
  /// Algorithm, for people.
  var description: String { get }
  /// Name of the algorithm, where the family has a choice.
  var algorithm: String? { get }
  /// Once; the same every time.
  func run() throws
  /// Compares what the last run left with the plain float64 reference.
  func check() throws -> CheckResult
}

extension Case {
  /// There is one.
  public var algorithm: String? { nil }
}

/// What a comparison with the reference found.
public struct CheckResult: Sendable, Equatable {
  /// The worst error over its bound: right up to 1, NaN if a NaN is where none should be.
  public var worst: Double
  /// Elements that were compared.
  public var checked: Int
  /// Elements that there are.
  public var total: Int

  /// True where every compared element is within its bound.
  public var isRight: Bool { worst <= 1 }

  /// A result.
  public init(worst: Double, checked: Int, total: Int) {
    self.worst = worst
    self.checked = checked
    self.total = total
  }
}

/// A wrong problem string: which, and the rule it breaks.
public struct ProblemError: Error, Equatable, CustomStringConvertible {
  /// As it was written.
  public var problem: String
  /// What it must be like.
  public var rule: String

  /// An error about `problem`.
  public init(_ problem: String, _ rule: String) {
    self.problem = problem
    self.rule = rule
  }

  /// One line.
  public var description: String { "problem '\(problem)': \(rule)" }
}
