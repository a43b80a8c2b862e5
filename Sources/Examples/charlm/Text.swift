import Apus
import ExampleSupport
import Foundation

/// The characters that a model knows: the bytes of a text in their order. Others count as the first.
struct Vocabulary {
  let bytes: [UInt8]
  private var numbers = [Int32](repeating: 0, count: 256)

  init(_ text: [UInt8]) {
    bytes = Set(text).sorted()
    for (i, byte) in bytes.enumerated() { numbers[Int(byte)] = Int32(i) }
  }

  func encode(_ text: [UInt8]) -> [Int32] { text.map { numbers[Int($0)] } }

  func decode(_ characters: [Int32]) -> String {
    String(decoding: characters.map { bytes[Int($0)] }, as: UTF8.self)
  }
}

/// A text cut into streams of the same length that are read side by side, some steps at a time: sample i is the i-th stretch
/// of all streams, so that what a model carries from batch to batch belongs to the stretch before.
struct TextDataset: Dataset {
  let characters: [Int32]
  let streams: Int
  let steps: Int

  private var length: Int { (characters.count - 1) / streams }
  var count: Int { length / steps }

  func batch(_ indices: [Int]) throws -> Batch {
    guard let index = indices.first, indices.count == 1 else {
      throw DataError("stretches of a text come one at a time, not \(indices.count)")
    }
    func stretch(_ shift: Int) -> Tensor {
      var numbers: [Int32] = []
      numbers.reserveCapacity(steps * streams)
      for step in 0..<steps {
        for stream in 0..<streams { numbers.append(characters[stream * length + index * steps + step + shift]) }
      }
      return Tensor(numbers, shape: [steps, streams])
    }
    return Batch(inputs: stretch(0), targets: stretch(1), count: steps * streams)
  }
}

/// How well a character is told from the one before it alone, by counting; the unigrams fill up what was never seen
/// (I. Witten, T. Bell, 1991).
struct BigramModel {
  private var pairs: [Double]
  private var singles: [Double]
  private let characters: Int

  init(_ text: [Int32], characters: Int) {
    self.characters = characters
    pairs = Array(repeating: 0, count: characters * characters)
    // One more each: a character that the text does not have is not impossible.
    singles = Array(repeating: 1, count: characters)
    for character in text { singles[Int(character)] += 1 }
    for (a, b) in zip(text, text.dropFirst()) { pairs[Int(a) * characters + Int(b)] += 1 }
  }

  /// Bits of each character of the targets, given its input, on average.
  func bitsPerCharacter(of text: TextDataset) throws -> Double {
    let total = singles.reduce(0, +)
    var bits = 0.0
    var count = 0
    for i in 0..<text.count {
      let batch = try text.batch([i])
      for (a, b) in zip(batch.inputs.array(of: Int32.self), batch.targets.array(of: Int32.self)) {
        let row = pairs[Int(a) * characters..<(Int(a) + 1) * characters]
        let kinds = Double(row.filter { $0 > 0 }.count)
        let seen = row.reduce(0, +)
        let single = singles[Int(b)] / total
        bits -= log2(seen > 0 ? (row[row.startIndex + Int(b)] + kinds * single) / (seen + kinds) : single)
        count += 1
      }
    }
    return bits / Double(max(1, count))
  }
}

/// Texts, the last tenth of each held out.
struct Corpus {
  /// Texts that every Debian system has.
  static let debianTexts = ["GPL-3", "GFDL-1.3", "Apache-2.0", "MPL-2.0", "Artistic"].map {
    "/usr/share/common-licenses/" + $0
  }

  var training: [UInt8] = []
  var heldOut: [UInt8] = []

  init(paths: [String]) throws {
    for path in paths {
      guard let data = FileManager.default.contents(atPath: path) else {
        throw DataError("\(path): the text cannot be read; --text names another")
      }
      add(Array(data))
    }
  }

  /// Sentences in a random order, for tests.
  init(sentences count: Int, seed: UInt64) {
    let sentences = [
      "apus means without feet.\n", "swifts sleep on the wing.\n", "they land only to nest.\n",
      "a screaming party circles the tower.\n", "in august they leave for africa.\n",
    ]
    let order = Tensor.uniform([count], in: 0..<5, generator: RandomGenerator(seed: seed)).array(of: Int32.self)
    add(Array(order.map { sentences[min(4, Int($0))] }.joined().utf8))
  }

  private mutating func add(_ text: [UInt8]) {
    let cut = text.count - text.count / 10
    training += text[..<cut]
    heldOut += text[cut...]
  }
}
