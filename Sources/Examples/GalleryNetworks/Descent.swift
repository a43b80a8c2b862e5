import Apus
import ArgumentParser
import ExampleSupport
import Foundation

/// One neuron, y = w x + b, that tells a boot (1) from a sneaker (-1) by how bright its picture is where a boot has its
/// shaft, with the mean squared error: B. Widrow's and M. Hoff's Adaline (1960). Its loss surface is a bowl over (w, b).
struct NeuronTask {
  let x: Tensor, targets: Tensor

  /// - Parameters:
  ///   - pictures: All classes.
  ///   - classes: What becomes 1 and what -1.
  init(_ pictures: TensorDataset, classes: (Int32, Int32)) {
    let labels = pictures.targets.array(of: Int32.self)
    let chosen = labels.indices.filter { labels[$0] == classes.0 || labels[$0] == classes.1 }
    // Brightness from 0 to 1 again: the data set gives numbers of the mean 0 and the deviation 1.
    let rows = pictures.batch(chosen).inputs[.all, 0, 4..<10] * 0.3530 + 0.2860
    x = rows.mean(along: [1, 2]).expanded(at: 1)
    targets = Tensor(chosen.map { labels[$0] == classes.0 ? Float(1) : -1 }, shape: [chosen.count, 1])
  }

  func loss(_ neuron: Linear) -> Tensor { meanSquaredError(neuron(x), targets) }

  /// The loss anywhere on the surface.
  func loss(w: Double, b: Double) -> Double { meanSquaredError(x * w + b, targets).scalar }

  /// The share on the right side of 0.
  func accuracy(_ neuron: Linear) -> Double {
    withoutGradients { ((neuron(x) * targets) .> 0).converted(to: .float32).mean().scalar }
  }

  /// The loss is c + 2 g.p + p.H p / 2 of p = (w, b); its second derivatives H do not depend on p.
  var curvature: (ww: Double, wb: Double, bb: Double) {
    (2 * x.squared().mean().scalar, 2 * x.mean().scalar, 2)
  }

  /// The least and the largest curvature in any direction: H's eigenvalues.
  var curvatures: (least: Double, largest: Double) {
    let (a, b, d) = curvature
    let middle = (a + d) / 2, spread = (pow((a - d) / 2, 2) + b * b).squareRoot()
    return (middle - spread, middle + spread)
  }

  /// The bottom of the bowl: the regression line of the targets over x.
  var optimum: (w: Double, b: Double) {
    let (mean, target) = (x.mean().scalar, targets.mean().scalar)
    let w = ((x - mean) * (targets - target)).mean().scalar / x.variance().scalar
    return (w, target - w * mean)
  }
}

/// A way down: where the neuron was, and its loss there.
struct Descent {
  let name: String
  private(set) var points: [(w: Double, b: Double)] = []
  private(set) var losses: [Double] = []
  let neuron = Linear(1, 1)

  /// Goes down with all pictures at each step, from a place far up.
  init(
    _ name: String, _ task: NeuronTask, steps: Int, from start: (w: Double, b: Double),
    optimizer makeOptimizer: ([Parameter]) -> any Optimizer
  ) {
    self.name = name
    neuron.weight.value = Tensor([Float(start.w)], shape: [1, 1])
    neuron.bias?.value = Tensor([Float(start.b)])
    let optimizer = makeOptimizer(neuron.parameters)
    for step in 0...steps {
      let loss = task.loss(neuron)
      points.append((neuron.weight.value.scalar, neuron.bias?.value.scalar ?? 0))
      losses.append(loss.scalar)
      if step == steps { break }
      loss.backward()
      optimizer.step()
    }
  }
}

struct DescentExample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "descent", abstract: "One neuron, and the ways of SGD, momentum and Adam down its loss surface.",
    discussion: """
      The data are Debian's: apt-get install dataset-fashion-mnist. All ways begin at one place and see all pictures at each \
      step: --seed changes nothing but the pictures of --small.
      """)

  @OptionGroup var common: RunOptions
  @Option(help: "The folder of Fashion-MNIST's four files (default: \(FashionMNIST.debianFolder)).")
  var data: String?
  @Option(help: "Steps of each way.")
  var steps = 150
  @Option(help: "SGD's learning rate, as a share of the largest that does not diverge.")
  var share = 0.9

  func validate() throws {
    try common.refuse("data", data)
    try check("steps", steps, in: 20...100_000)
    try check("share", share, in: 0.01...0.99)
  }

  func run() throws {
    let pictures = try Pictures(common, folder: data, small: 600, .squares)
    // Of the squares that --small has, class 1 lies in the upper half and class 6 in the lower one.
    let classes: (Int32, Int32) = common.small ? (1, 6) : (9, 7)
    let task = NeuronTask(pictures.training, classes: classes)
    let (least, largest) = task.curvatures, optimum = task.optimum
    let bound = 2 / largest
    print("\(task.x.count) pictures; the loss curves by \(rounded(least)) to \(rounded(largest)),")
    print("so a learning rate above 2 / \(rounded(largest)) = \(rounded(bound)) diverges.")

    let start = (w: optimum.w - 8, b: optimum.b + 3)
    func descend(_ name: String, _ optimizer: ([Parameter]) -> any Optimizer) -> Descent {
      Descent(name, task, steps: steps, from: start, optimizer: optimizer)
    }
    let clock = ContinuousClock.now
    let ways = [
      descend("SGD") { SGD($0, learningRate: share * bound) },
      descend("momentum") { SGD($0, learningRate: 0.1 * bound, momentum: 0.9) },
      descend("Adam") { Adam($0, learningRate: 0.3) },
      descend("too large") { SGD($0, learningRate: 1.05 * bound) },
    ]
    let seconds = clock.duration(to: .now) / .seconds(1)
    let lowest = task.loss(w: optimum.w, b: optimum.b)
    let test = NeuronTask(pictures.test, classes: classes)
    print("\n            first loss   last loss   lowest possible")
    for way in ways {
      print(
        way.name.padded(to: 12)
          + [way.losses[0], way.losses[steps], lowest].map { rounded($0).padded(to: 13) }.joined())
    }
    print()
    try common.draw { draw(task, ways, optimum) }

    var outcome = Outcome()
    // Every way sees all pictures at each place.
    outcome.count(samples: ways.count * (steps + 1) * task.x.count, seconds: seconds)
    for way in ways.dropLast() {
      let share = (way.losses[0] - way.losses[steps]) / (way.losses[0] - lowest)
      outcome.require("\(way.name): share of the way down", share, atLeast: common.small ? 0.8 : 0.98)
    }
    // After some hundred steps it is no number any more.
    let largestLoss = ways[3].losses.filter(\.isFinite).max() ?? 0
    outcome.require("too large: largest loss over first", largestLoss / ways[3].losses[0], atLeast: 10)
    outcome.require("Adam: accuracy on test pictures", test.accuracy(ways[2].neuron), atLeast: 0.85)
    try outcome.finish()
  }

  /// The surface around the ways, darker where the loss is higher, and the losses over the steps.
  private func draw(_ task: NeuronTask, _ ways: [Descent], _ optimum: (w: Double, b: Double)) -> Figure {
    let size = 96
    let reach = (w: 10.0, b: 5.0)
    func place(_ point: (w: Double, b: Double)) -> (x: Double, y: Double) {
      (
        ((point.w - optimum.w) / reach.w + 1) / 2 * Double(size),
        (1 - (point.b - optimum.b) / reach.b) / 2 * Double(size)
      )
    }
    var figure = Figure("One neuron, y = w x + b: ways down its loss surface")
    let rows = (0..<size).map { y in
      (0..<size).map { x in
        let w = optimum.w + (Double(x) + 0.5) / Double(size) * 2 * reach.w - reach.w
        let b = optimum.b + reach.b - (Double(y) + 0.5) / Double(size) * 2 * reach.b
        return log(task.loss(w: w, b: b))
      }
    }
    var surface = PictureGrid(
      "log of the loss; w to the right, b upwards; the bottom in the middle", columns: 1, scale: 4)
    surface.add(rows)
    // The colours of a chart's lines, in their order.
    for (way, colour) in zip(ways, ["#1f6fb4", "#d1491c", "#2f8f46", "#8a4fb0"]) {
      let inside = way.points.map(place).prefix {
        (0...Double(size)).contains($0.x) && (0...Double(size)).contains($0.y)
      }
      surface.draw(Array(inside), colour: colour)
    }
    figure.add(surface)
    var chart = Chart("Loss above the lowest", x: "step", y: "mean squared error", isLogarithmic: true)
    let lowest = task.loss(w: optimum.w, b: optimum.b)
    // What diverges would leave no room for the others.
    for way in ways { chart.add(way.name, way.losses.prefix { $0 < 10 * way.losses[0] }.map { $0 - lowest }) }
    figure.add(chart)
    return figure
  }
}
