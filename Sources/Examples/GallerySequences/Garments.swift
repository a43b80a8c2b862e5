import Apus
import ExampleSupport
import Foundation

/// Pictures of 28 x 28 bytes in ten classes, to learn from and to be measured by: Fashion-MNIST, or stripes in its place.
func garments(_ folder: String, _ options: RunOptions) throws -> (training: TensorDataset, test: TensorDataset) {
  if !options.small {
    let data = try FashionMNIST(folder: folder)
    return (data.training, data.test)
  }
  var choices = Choices(seed: options.seed)
  return (stripes(200, &choices), stripes(50, &choices))
}

/// Stripes of five directions and two widths under noise, which convolutions tell apart wherever they stand.
private func stripes(_ count: Int, _ choices: inout Choices) -> TensorDataset {
  var pixels: [UInt8] = []
  for i in 0..<count {
    let angle = Double(i % 5) * .pi / 5, length = i % 10 < 5 ? 5.0 : 10,
      phase = Double.random(in: 0..<6, using: &choices)
    for place in 0..<784 {
      let along = cos(angle) * Double(place % 28) + sin(angle) * Double(place / 28)
      let noise = Double.random(in: 0..<30, using: &choices)
      pixels.append(UInt8(110 + 100 * sin(2 * .pi * along / length + phase) + noise))
    }
  }
  return TensorDataset(
    inputs: Tensor(pixels, shape: [count, 28, 28]), targets: Tensor((0..<count).map { Int32($0 % 10) }))
}
