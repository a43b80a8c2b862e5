import Apus
import ArgumentParser
import ExampleSupport

/// Definitions of large networks for ImageNet: 1000 classes, 3 x 224 x 224 pixels (AlexNet's 227 x 227).
enum Architecture: String, CaseIterable, ExpressibleByArgument {
  case alexnet, vgg16
  case inception3a = "inception-3a"

  /// The exact counts of these definitions, weights and biases; the papers round them: 60 and 138 million, 159K.
  var expectedParameters: Int {
    switch self {
    case .alexnet: 60_965_224
    case .vgg16: 138_357_544
    case .inception3a: 163_696
    }
  }

  /// An input with its batch of one.
  var inputShape: [Int] {
    switch self {
    case .alexnet: [1, 3, 227, 227]
    case .vgg16: [1, 3, 224, 224]
    case .inception3a: [1, 192, 28, 28]
    }
  }

  /// The network with weights of one number: what counts here are shapes.
  func makeModel() -> any Module {
    switch self {
    case .alexnet: makeAlexNet(initialization: .constant(0))
    case .vgg16: makeVGG16(initialization: .constant(0))
    case .inception3a: Inception(192, .paper3a)
    }
  }
}

/// AlexNet (A. Krizhevsky, I. Sutskever, G. Hinton, 2012) with the paper's two groups, which lay on two GPUs: 60 965 224
/// parameters. The form of one tower, without groups, has 62 378 344.
///
/// The paper does not divide the normalisation's alpha, 1e-4, by its size of 5.
package func makeAlexNet(groups: Int = 2, initialization: Initialization) -> Sequential {
  func convolution(_ inputs: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1, pad: Int = 0, groups: Int = 1)
    -> [any Module]
  {
    [
      Conv2D(
        inputChannels: inputs, outputChannels: outputs, kernelSize: kernel, stride: [stride], padding: [pad],
        groups: groups, initialization: initialization), ReLU(),
    ]
  }
  return Sequential {
    convolution(3, 96, 11, stride: 4)
    LocalResponseNorm(size: 5, alpha: 5e-4, beta: 0.75, k: 2)
    MaxPool2D(3, stride: [2])
    convolution(96, 256, 5, pad: 2, groups: groups)
    LocalResponseNorm(size: 5, alpha: 5e-4, beta: 0.75, k: 2)
    MaxPool2D(3, stride: [2])
    convolution(256, 384, 3, pad: 1)
    convolution(384, 384, 3, pad: 1, groups: groups)
    convolution(384, 256, 3, pad: 1, groups: groups)
    MaxPool2D(3, stride: [2])
    makeImageNetClassifier(256 * 6 * 6, initialization)
  }
}

/// VGG-16 (K. Simonyan, A. Zisserman, 2014), its configuration D: 3x3 convolutions only, 138 357 544 parameters.
package func makeVGG16(initialization: Initialization) -> Sequential {
  Sequential {
    for (inputs, outputs, convolutions) in [(3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3)] {
      for i in 0..<convolutions {
        Conv2D(
          inputChannels: i == 0 ? inputs : outputs, outputChannels: outputs, kernelSize: 3, padding: [1],
          initialization: initialization)
        ReLU()
      }
      MaxPool2D(2)
    }
    makeImageNetClassifier(512 * 7 * 7, initialization)
  }
}

/// The three fully connected layers that both end with, most of the parameters.
private func makeImageNetClassifier(_ inputs: Int, _ initialization: Initialization) -> [any Module] {
  [
    Flatten(),
    Linear(inputs, 4096, initialization: initialization), ReLU(), Dropout(0.5),
    Linear(4096, 4096, initialization: initialization), ReLU(), Dropout(0.5),
    Linear(4096, 1000, initialization: initialization),
  ]
}

struct ArchitecturesExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "architectures",
    abstract: "AlexNet, VGG-16 and a block of GoogLeNet: shapes and parameters, no training.",
    discussion: "VGG-16 takes 0.7 GB of memory; --small leaves it out. Only shapes count: --seed changes nothing.")

  @OptionGroup var common: RunOptions
  @Option(help: "Only this one.")
  var only: Architecture?

  func validate() throws {
    if common.small && only == .vgg16 { throw ValidationError("--only vgg16: --small leaves it out") }
  }

  func run() throws {
    let all = only.map { [$0] } ?? Architecture.allCases.filter { !(common.small && $0 == .vgg16) }
    var chart = Chart("Weights of each layer", x: "layer", y: "numbers", isLogarithmic: true), outcome = Outcome()
    try common.seeded {
      for architecture in all {
        let model = architecture.makeModel()
        print("\(architecture.rawValue), an input of \(architecture.inputShape):")
        print(model.summary(inputShape: architecture.inputShape))
        print()
        let weights = model.namedParameters.filter { $0.name.hasSuffix("weight") }.map { Double($0.parameter.count) }
        chart.add(architecture.rawValue, weights)
        let expected = architecture.expectedParameters
        outcome.require(
          "\(architecture.rawValue): \(model.parameterCount) parameters, off the expected \(expected) by",
          Double(abs(model.parameterCount - expected)), atMost: 0)
      }
      try common.draw {
        var figure = Figure("Where the parameters are", columns: 1)
        figure.add(chart)
        return figure
      }
      try outcome.finish()
    }
  }
}
