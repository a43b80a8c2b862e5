import Apus
import ExampleSupport
import Foundation

/// Pictures of two or three garments on a grid of 2 x 2, each a little off its place, and the sentence that says what is where.
package struct Scenes: Dataset {
  /// Number 0 is the start of a sentence, and its end.
  static let words = [
    ".", "a", "left", "of", "above", "top", "trouser", "dress", "sandal", "sneaker", "bag", "boot",
  ]
  /// The words of Fashion-MNIST's ten classes; T-shirts, pullovers, coats and shirts are tops.
  static let names: [Int32] = [5, 6, 5, 7, 5, 8, 5, 9, 10, 11]
  /// Words of the longest sentence: "a bag left of a boot above a top", and the end.
  static let length = 10
  static let side = 64

  let garments: TensorDataset
  package let count: Int

  /// Pictures in the place of Fashion-MNIST's, for tests: classes are stripes of two directions and five lightnesses.
  static func stripes(_ count: Int, _ choices: inout Choices) -> TensorDataset {
    var pixels: [UInt8] = []
    for i in 0..<count {
      let (kind, phase) = (i % 10, Double.random(in: 0..<6, using: &choices))
      for place in 0..<784 {
        let along = Double(kind % 2 == 0 ? place / 28 : place % 28)
        let noise = Double.random(in: 0..<20, using: &choices)
        pixels.append(UInt8(60 + 30 * Double(kind / 2) + 40 * sin(along * .pi / 4 + phase) + noise))
      }
    }
    return TensorDataset(
      inputs: Tensor(pixels, shape: [count, 28, 28]), targets: Tensor((0..<count).map { Int32($0 % 10) }))
  }

  /// In a model's input words lie behind a picture's pixels: those before each word of the sentence, the first of which is 0.
  package func batch(_ indices: [Int]) -> Batch {
    var choices = Choices.ofBatch()
    let labels = garments.targets.array(of: Int32.self), side = Self.side
    var inputs: [Float] = [], targets: [Int32] = []
    garments.inputs.withElements(UInt8.self) { bytes in
      for _ in indices {
        var pixels = [Float](repeating: 0, count: side * side)
        let cells = (0..<4).shuffled(using: &choices).prefix(.random(in: 2...3, using: &choices)).sorted()
        let things = cells.map { (cell: $0, garment: Int.random(in: 0..<garments.count, using: &choices)) }
        for (cell, garment) in things {
          let left = cell % 2 * 32 + .random(in: 0...4, using: &choices)
          let top = cell / 2 * 32 + .random(in: 0...4, using: &choices)
          for row in 0..<28 {
            for column in 0..<28 {
              pixels[(top + row) * side + left + column] = Float(bytes[garment * 784 + row * 28 + column]) / 255
            }
          }
        }
        let sentence = Self.sentence(things.map { ($0.cell, Self.names[Int(labels[$0.garment])]) })
        inputs +=
          pixels + [0] + sentence.map(Float.init) + [Float](repeating: 0, count: Self.length - 1 - sentence.count)
        // Behind the end nothing counts.
        targets += sentence + [0] + [Int32](repeating: -1, count: Self.length - 1 - sentence.count)
      }
    }
    return Batch(
      inputs: Tensor(inputs, shape: [indices.count, side * side + Self.length]),
      targets: Tensor(targets, shape: [indices.count, Self.length]))
  }

  /// The upper row above the lower one, in a row one left of the other. Cells are numbered from the upper left corner on.
  package static func sentence(_ things: [(cell: Int, name: Int32)]) -> [Int32] {
    let rows = [0, 1].map { row in things.filter { $0.cell / 2 == row }.map { [1, $0.name] } }
    return Array(rows.filter { !$0.isEmpty }.map { $0.joined(separator: [2, 3]) }.joined(separator: [4]))
  }

  /// A sentence as text, up to its end.
  package static func text(_ sentence: some Sequence<Int32>) -> String {
    sentence.prefix { $0 > 0 }.map { words[Int($0)] }.joined(separator: " ")
  }
}
