import Apus
import Testing

@Suite struct TrainingTests {
  /// Two interleaved half circles.
  static func moons(_ count: Int, _ generator: RandomGenerator) -> (x: Tensor, labels: Tensor) {
    let noise = Tensor.normal([count, 2], deviation: 0.1, dtype: .float32, generator: generator).array(of: Float.self)
    var points: [Float] = []
    var labels: [Int32] = []
    let angles = Tensor.uniform([count], in: 0..<3.14159, generator: generator)
    let (sines, cosines) = (sinesOf(angles), sinesOf(angles + 1.570796))
    for i in 0..<count {
      let isLower = i % 2 == 1
      points.append((isLower ? 1 - cosines[i] : cosines[i]) + noise[2 * i])
      points.append((isLower ? 0.5 - sines[i] : sines[i]) + noise[2 * i + 1])
      labels.append(isLower ? 1 : 0)
    }
    return (Tensor(points, shape: [count, 2]), Tensor(labels))
  }

  private static func sinesOf(_ x: Tensor) -> [Float] {
    // Taylor's series to x^15, exact enough below 5.
    var (term, sum) = (x, x)
    for k in 1..<12 {
      term = term * x * x * (-1 / Double(2 * k * (2 * k + 1)))
      sum = sum + term
    }
    return sum.array(of: Float.self)
  }

  @Test func aSmallNetLearns() {
    let generator = RandomGenerator(seed: 1)
    generator.use {
      let (x, labels) = Self.moons(400, generator)
      let model = Sequential {
        Linear(2, 32)
        ReLU()
        Linear(32, 32)
        ReLU()
        Linear(32, 2)
      }
      let optimizer = SGD(model.parameters, learningRate: 0.2, momentum: 0.9)
      var losses: [Double] = []
      for _ in 0..<200 {
        let loss = softmaxCrossEntropy(model(x), labels)
        losses.append(loss.scalar)
        loss.backward()
        optimizer.step()
      }
      #expect(losses[0] > 0.5)
      #expect(losses[199] < 0.1)
      let hits = withoutGradients { (model(x).argmax() .== labels).sum().item(Int64.self) }
      #expect(hits > 380)
    }
  }

  /// Steps worked out in plain float64.
  @Test func optimizersMatchTheirFormulas() {
    func run(_ make: ([Parameter]) -> any Optimizer, _ reference: (Int, inout Double, Double, inout [Double]) -> Void) {
      let p = Parameter(Tensor([1.0, -2.0]))
      let optimizer = make([p])
      var expected = [1.0, -2.0]
      var states = [[0.0, 0.0], [0.0, 0.0]]
      for step in 1...4 {
        (p.value.squared() * 0.5 + p.value).sum().backward()
        optimizer.step()
        #expect(p.gradient == nil)
        for i in 0..<2 {
          let gradient = expected[i] + 1
          reference(step, &expected[i], gradient, &states[i])
        }
      }
      for (a, b) in zip(p.value.array(of: Double.self), expected) { #expect(abs(a - b) < 1e-12) }
    }
    run({ SGD($0, learningRate: 0.1, momentum: 0.9, weightDecay: 0.01) }) { step, p, g, s in
      let d = g + 0.01 * p
      s[0] = step == 1 ? d : 0.9 * s[0] + d
      p -= 0.1 * s[0]
    }
    func power(_ x: Double, _ n: Int) -> Double { (0..<n).reduce(1) { y, _ in y * x } }
    for isDecoupled in [false, true] {
      run({ Adam($0, learningRate: 0.1, weightDecay: 0.05, decouplesDecay: isDecoupled) }) { step, p, g, s in
        let d = isDecoupled ? g : g + 0.05 * p
        s[0] = 0.9 * s[0] + 0.1 * d
        s[1] = 0.999 * s[1] + 0.001 * d * d
        if isDecoupled { p -= 0.1 * 0.05 * p }
        p -= 0.1 * (s[0] / (1 - power(0.9, step))) / ((s[1] / (1 - power(0.999, step))).squareRoot() + 1e-8)
      }
    }
    run({ RMSProp($0, learningRate: 0.1) }) { _, p, g, s in
      s[0] = 0.99 * s[0] + 0.01 * g * g
      p -= 0.1 * g / (s[0].squareRoot() + 1e-8)
    }
    run({ Adagrad($0, learningRate: 0.1) }) { _, p, g, s in
      s[0] += g * g
      p -= 0.1 * g / (s[0].squareRoot() + 1e-10)
    }
  }

  @Test func anOptimizerContinuesFromItsState() {
    func steps(_ count: Int, _ p: Parameter, _ optimizer: Adam) {
      for _ in 0..<count {
        p.value.squared().sum().backward()
        optimizer.step()
      }
    }
    let whole = Parameter(Tensor([1, 2, 3] as [Float]))
    steps(6, whole, Adam([whole]))
    let first = Parameter(Tensor([1, 2, 3] as [Float]))
    let before = Adam([first])
    steps(3, first, before)
    let second = Parameter(first.value)
    let after = Adam([second])
    after.state = before.state
    steps(3, first, before)
    steps(3, second, after)
    #expect(second.value == whole.value)
    #expect(first.value == whole.value)
  }

  @Test func clipping() {
    let (a, b) = (Parameter(Tensor([0.0, 0.0])), Parameter(Tensor([0.0])))
    a.gradient = Tensor([3.0, 0.0])
    b.gradient = Tensor([4.0])
    #expect([a, b].clipGradients(toNorm: 10) == 5)
    #expect(b.gradient?.scalar == 4)
    #expect([a, b].clipGradients(toNorm: 1) == 5)
    #expect(abs([a, b].gradientNorm() - 1) < 1e-12)
    [a, b].clipGradients(toValue: 0.7)
    #expect(abs((b.gradient?.scalar ?? 0) - 0.7) < 1e-12)
    #expect(abs((a.gradient?[0].scalar ?? 0) - 0.6) < 1e-12)
  }

  @Test func schedules() {
    #expect(Schedule.steps(from: 1, every: 2, factor: 0.5).rate(at: 5) == 0.25)
    let cosine = Schedule.cosine(from: 1, to: 0.2, over: 10)
    #expect(cosine.rate(at: 0) == 1)
    #expect(abs(cosine.rate(at: 5) - 0.6) < 1e-12)
    #expect(abs(cosine.rate(at: 50) - 0.2) < 1e-12)
    #expect(cosine.warmedUp(over: 4).rate(at: 1) == 0.5)
    #expect(cosine.warmedUp(over: 4).rate(at: 4) == 1)
    var plateau = PlateauSchedule(from: 1, factor: 0.1, patience: 1)
    #expect([3, 2, 2, 2, 1].map { plateau.update(loss: $0) } == [1, 1, 1, 0.1, 0.1])
  }

  @Test func leNetLearnsStrokes() {
    let generator = RandomGenerator(seed: 4)
    generator.use {
      // Bright bars: across, down and along the diagonals, at random places, under noise.
      let count = 64
      var images = Tensor.uniform([count, 1, 28, 28], in: 0..<0.3, generator: generator).array(of: Float.self)
      let places = Tensor.uniform([count], in: 8..<20, generator: generator).array(of: Int32.self)
      for i in 0..<count {
        for t in 4..<24 {
          let p = Int(places[i])
          let (row, column) = [(p, t), (t, p), (t, (t + p) % 28), (t, (55 - t - p) % 28)][i % 4]
          images[i * 784 + row * 28 + column] = 1
        }
      }
      let (x, labels) = (Tensor(images, shape: [count, 1, 28, 28]), Tensor((0..<count).map { Int32($0 % 4) }))
      let model = Sequential {
        Conv2D(inputChannels: 1, outputChannels: 6, kernelSize: 5, padding: [2])
        Tanh()
        AvgPool2D(2)
        Conv2D(inputChannels: 6, outputChannels: 16, kernelSize: 5)
        Tanh()
        AvgPool2D(2)
        Flatten()
        Linear(400, 120)
        Tanh()
        Linear(120, 84)
        Tanh()
        Linear(84, 4)
      }
      #expect(model.parameterCount == 61_706 - 6 * 85)
      let optimizer = Adam(model.parameters, learningRate: 0.003)
      var losses: [Double] = []
      for step in 0..<40 {
        let batch = (step % 2) * 32..<(step % 2) * 32 + 32
        let loss = softmaxCrossEntropy(model(x[batch]), labels[batch])
        losses.append(loss.scalar)
        loss.backward()
        optimizer.step()
      }
      #expect(losses[0] > 1.2)
      #expect(losses[39] < 0.3 * losses[0], "\(losses)")
    }
  }
}
