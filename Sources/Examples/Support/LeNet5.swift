import Apus

/// LeNet-5 (Y. LeCun et al., 1998) with today's activations and pooling. Checkpoints of the example `lenet` fit it.
package func makeLeNet5() -> Sequential {
  Sequential {
    Conv2D(inputChannels: 1, outputChannels: 6, kernelSize: 5, padding: [2])
    ReLU()
    MaxPool2D(2)
    Conv2D(inputChannels: 6, outputChannels: 16, kernelSize: 5)
    ReLU()
    MaxPool2D(2)
    Flatten()
    Linear(400, 120)
    ReLU()
    Linear(120, 84)
    ReLU()
    Linear(84, 10)
  }
}
