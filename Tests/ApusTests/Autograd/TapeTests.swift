import Apus
import Testing

@Suite struct TapeTests {
  @Test func chainRuleThroughTwoLayersByHand() {
    // y = w2 . s(W1 x): the delta of a hidden unit is s'(h) times the sum of weights times the next layer's deltas.
    let x = Tensor([0.5, -1.0]).reshaped([1, 2])
    let first = Tensor([0.1, 0.2, -0.3, 0.4], shape: [2, 2]).tracked()
    let second = Tensor([0.7, -0.6, 0.2, 0.9], shape: [2, 2]).tracked()
    let target = Tensor([1.0, 0.0], shape: [1, 2])
    let hidden = linear(x, weight: first).sigmoid()
    let output = linear(hidden, weight: second)
    let loss = meanSquaredError(output, target, reduction: .sum)
    let found = gradients(of: loss, by: [first, second])
    let (h, o) = (hidden.array(of: Double.self), output.array(of: Double.self))
    let outputDeltas = [2 * (o[0] - 1), 2 * o[1]]
    let w = [0.7, -0.6, 0.2, 0.9]
    let hiddenDeltas = (0..<2).map { j in
      (w[j] * outputDeltas[0] + w[2 + j] * outputDeltas[1]) * h[j] * (1 - h[j])
    }
    let expectedFirst = hiddenDeltas.flatMap { [$0 * 0.5, $0 * -1.0] }
    let expectedSecond = outputDeltas.flatMap { [$0 * h[0], $0 * h[1]] }
    for (a, b) in zip(found[0].array(of: Double.self) + found[1].array(of: Double.self), expectedFirst + expectedSecond)
    {
      #expect(abs(a - b) < 1e-12)
    }
  }

  @Test func unusedSourcesHaveZeroGradients() {
    let (x, unused) = (Tensor([1.0, 2]).tracked(), Tensor([3.0]).tracked())
    let found = gradients(of: x.squared().sum(), by: [x, unused])
    #expect(found[0].array(of: Double.self) == [2, 4])
    #expect(found[1].array(of: Double.self) == [0])
  }

  @Test func nothingIsRecordedWithoutGradients() {
    let x = Tensor([1.0]).tracked()
    let y = withoutGradients { x * 2 }
    #expect(!y.isTracked)
    #expect((x * 2).isTracked)
    #expect(!(x * 2).detached().isTracked)
    #expect(!(Tensor([1.0]) * 2).isTracked)
  }

  @Test func detachedPartsAreConstants() {
    let x = Tensor([3.0]).tracked()
    let y = (x * x.detached()).sum()
    #expect(gradients(of: y, by: [x])[0].scalar == 3)
  }

  @Test func gradientsAccumulateInParameters() {
    let p = Parameter(Tensor([1.0, 2.0]))
    p.value.sum().backward()
    (p.value * 3).sum().backward()
    #expect(p.gradient?.array(of: Double.self) == [4, 4])
    [p].withGradientBuffers { buffers in
      #expect(buffers.map(\.count) == [16])
      buffers[0].bindMemory(to: Double.self)[1] = 7
    }
    #expect(p.gradient?.array(of: Double.self) == [4, 7])
    p.gradient = nil
    p.isTrainable = false
    #expect(!(p.value * 2).isTracked)
  }

  @Test func customFunctionsHaveTheirOwnGradient() {
    let cube: @Sendable ([Tensor]) -> Tensor = { sources in
      differentiable("cube", sources) {
        $0[0] * $0[0] * $0[0]
      } backward: { dy, x, _ in
        [3 * x[0] * x[0] * dy]
      }
    }
    #expect(checkGradients(of: cube, at: [Tensor([1.0, -2, 0.5])]).largestError < 1e-7)
    let x = Tensor([2.0]).tracked()
    let first = gradients(of: cube([x]).sum(), by: [x], keepsTape: true)[0]
    #expect(first.scalar == 12)
    #expect(gradients(of: first.sum(), by: [x])[0].scalar == 12)
    let wrong = checkGradients(
      of: {
        differentiable("wrong", $0) {
          $0[0] * 2
        } backward: { dy, _, _ in
          [dy]
        }
      }, at: [Tensor([1.0])])
    #expect(wrong.largestError > 0.4)
  }

  @Test func thirdDerivative() {
    let x = Tensor([0.7]).tracked()
    var y = x.tanh().sum()
    for _ in 0..<2 { y = gradients(of: y, by: [x], keepsTape: true)[0].sum() }
    let third = gradients(of: y, by: [x])[0].scalar
    let t = 0.604367777117164
    let s = 1 - t * t
    #expect(abs(third - (4 * t * t * s - 2 * s * s)) < 1e-9)
  }

  @Test func longChainsAreLetGo() {
    var x = Tensor([1.0]).tracked()
    for _ in 0..<200_000 { x = x + 1 }
    #expect(x.scalar == 200_001)
    let start = Tensor([1.0]).tracked()
    var y = start
    for _ in 0..<20_000 { y = y + 1 }
    #expect(gradients(of: y.sum(), by: [start])[0].scalar == 1)
  }

  @Test func tasksHaveTheirOwnScopes() async {
    let x = Tensor([2.0]).tracked()
    let results = await withTaskGroup(of: Double.self) { group in
      for i in 0..<8 {
        group.addTask {
          let y = i % 2 == 0 ? withoutGradients { x * 3 } : x * Double(i)
          return y.isTracked ? gradients(of: y.sum(), by: [x])[0].scalar : -1
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.sorted() == [-1, -1, -1, -1, 1, 3, 5, 7])
  }

  @Test func aConsumedTapeSaysSo() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let x = Tensor([1.0]).tracked()
      let y = x.squared().sum()
      _ = gradients(of: y, by: [x])
      _ = gradients(of: y, by: [x])
    }
    let resultText = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(resultText.contains("consumed"))
    let second = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let x = Tensor([1.0]).tracked()
      let first = gradients(of: x.gelu().sum(), by: [x], keepsTape: true)[0]
      _ = gradients(of: first.sum(), by: [x])
    }
    let secondText = String(decoding: second?.standardErrorContent ?? [], as: UTF8.self)
    #expect(secondText.contains("the gradient of gelu"))
  }
}
