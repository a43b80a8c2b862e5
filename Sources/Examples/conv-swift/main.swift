import Apus

// Ten filters of 5 x 5 on a batch of two colour images of 32 x 32, forward and backward.
do {
  let layer = try Convolution<Float>(
    batch: 2, inputChannels: 3, outputChannels: 10, input: [32, 32], kernel: [5, 5], padding: .same, addsBias: true,
    activation: .relu, directions: [.forward, .backwardData, .backwardWeights])
  print(layer.outputShape, layer.parameterCount)

  let x = [Float](repeating: 1, count: layer.inputCount)
  let weights = [Float](repeating: 0.5, count: layer.weightCount)
  let bias = [Float](repeating: 1, count: 10)
  var y = [Float](repeating: 0, count: layer.outputCount)
  try layer.forward(x, weights, into: &y, bias: bias.span)
  let middle = 16 * 32 + 16
  print(y[0], y[middle * 10])  // a corner sees 3 x 3 x 3 ones, a place in the middle 5 x 5 x 3

  let dy = y.map { $0 > 0 ? Float(1) : 0 }  // taken back through the activation
  var dx = x
  try layer.backwardData(dy, weights, into: &dx)
  var dw = weights
  var db = bias
  try layer.backwardWeights(x, dy, into: &dw, bias: &db)
  print(dx[middle * 3], dw[0], db[0])
} catch {
  print("\(error.code): \(error.message)")
}
