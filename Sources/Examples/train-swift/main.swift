import Apus

// A network learns exclusive or: 1 where the two inputs differ.
let x: Tensor = [[0, 0], [0, 1], [1, 0], [1, 1]]
let labels = Tensor([0, 1, 1, 0])
let model = Sequential {
  Linear(2, 8)
  Tanh()
  Linear(8, 2)
}
let optimizer = Adam(model.parameters, learningRate: 0.05)
for _ in 0..<200 {
  let loss = softmaxCrossEntropy(model(x), labels)
  loss.backward()
  optimizer.step()
}
print(model(x).argmax(), model.parameterCount)
