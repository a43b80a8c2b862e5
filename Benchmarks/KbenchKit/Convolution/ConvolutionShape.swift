import ApusEngine

/// The first part of a problem string: letters and numbers, as `ConvolutionDescriptor.problemString` writes them.
struct ConvolutionShape {
  /// What each letter says; `t` has no number.
  private var numbers: [Character: [Int]] = [:]
  private let problem: String

  /// Reads the letters of `text`; `problem` is the whole string, for messages.
  init(_ text: String, problem: String) throws(ProblemError) {
    self.problem = problem
    var rest = text[...]
    while let letter = rest.popFirst() {
      let run = rest.prefix { ("0"..."9").contains($0) || $0 == "x" }
      rest = rest.dropFirst(run.count)
      guard "ncdhwkfspqegto".contains(letter) else {
        throw ProblemError(problem, "'\(letter)\(run)' is none of n c d h w k f s p q e g t o and a number")
      }
      if numbers[letter] != nil { throw ProblemError(problem, "it says '\(letter)' twice") }
      if letter == "t" {
        guard run.isEmpty else { throw ProblemError(problem, "'t\(run)' must be t alone") }
        numbers[letter] = []
        continue
      }
      var values: [Int] = []
      for word in run.split(separator: "x", omittingEmptySubsequences: false) {
        guard let value = Int(word), value <= Int(Int32.max) else {
          throw ProblemError(problem, "'\(letter)\(run)' must be \(letter) and a number up to \(Int32.max)")
        }
        values.append(value)
      }
      if "ncdhwkg".contains(letter) && values.count > 1 {
        throw ProblemError(problem, "'\(letter)\(run)' must have one number")
      }
      numbers[letter] = values
    }
    for letter in "cwkf" where numbers[letter] == nil {
      throw ProblemError(
        problem, "it must begin with n, c, [d, h,] w, k and f, each with its number, like n1c64h56w56k64f3s1p1")
    }
    if numbers["d"] != nil && numbers["h"] == nil { throw ProblemError(problem, "it has d, but no h") }
  }

  /// What the letters say; without n there is one sample. Only what cannot be said in a descriptor is refused here.
  func descriptor(_ type: ElementType) throws(ProblemError) -> ConvolutionDescriptor {
    let rank = numbers["d"] != nil ? 3 : numbers["h"] != nil ? 2 : 1
    var input = Extents(repeating: 1)
    for (i, letter) in ["d", "h", "w"].enumerated() { input[i] = numbers[Character(letter)]?[0] ?? 1 }
    var window = SpatialWindow(
      rank: rank, input: input, window: try each("f", rank, else: Extents(repeating: 1)))
    window.stride = try each("s", rank, else: window.stride)
    window.dilation = try each("e", rank, else: window.dilation)
    window.padBefore = try each("p", rank, else: window.padBefore)
    window.padAfter = try each("q", rank, else: window.padBefore)
    let samples = numbers["n"]?[0] ?? 1
    if samples < 1 { throw ProblemError(problem, "n must be at least 1") }
    var descriptor = ConvolutionDescriptor(
      dataType: type == .float32 ? .float32 : .float64, batch: samples, inputChannels: numbers["c"]?[0] ?? 1,
      outputChannels: numbers["k"]?[0] ?? 1, window: window)
    descriptor.groups = numbers["g"]?[0] ?? 1
    descriptor.isTransposed = numbers["t"] != nil
    descriptor.outputPadding = try each("o", rank, else: descriptor.outputPadding)
    return descriptor
  }

  /// One number for each dimension, or one for all.
  private func each(_ letter: Character, _ rank: Int, else value: Extents) throws(ProblemError) -> Extents {
    guard let given = numbers[letter] else { return value }
    if given.count != 1 && given.count != rank {
      throw ProblemError(problem, "\(letter) has \(given.count) numbers, but the problem \(rank) dimensions")
    }
    var result = value
    for i in 0..<rank { result[3 - rank + i] = given.count == 1 ? given[0] : given[i] }
    return result
  }
}
