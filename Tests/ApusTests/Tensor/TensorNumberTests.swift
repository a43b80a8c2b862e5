import Apus
import Testing

/// Tensors beside plain numbers, and what stands at the edges: integers, zeros, infinities, nothing at all.
@Suite struct TensorNumberTests {
  @Test func numbersBesideIntegersAreNotCutToTheirType() {
    let bytes = Tensor([0, 1, 255] as [UInt8])
    #expect((255 - bytes).array(of: UInt8.self) == [255, 254, 0])
    #expect((bytes - 1).array(of: UInt8.self) == [255, 0, 254])
    #expect((bytes + 300).array(of: UInt8.self) == [44, 45, 43])
    #expect((-bytes).array(of: UInt8.self) == [0, 255, 1])
    #expect((bytes / 300).array(of: UInt8.self) == [0, 0, 0])
    #expect((-7 / Tensor([2, -2])).array(of: Int64.self) == [-3, 3])
    #expect((bytes .== 300).array(of: Bool.self) == [false, false, false])
    #expect((bytes .> -1).array(of: Bool.self) == [true, true, true])
    #expect((Tensor([0, 2]) .== 0.5).array(of: Bool.self) == [false, false])
    #expect((Tensor([0, 2]) .< 2.5).array(of: Bool.self) == [true, true])
    #expect((Tensor([true, false]) .> 0.5).array(of: Bool.self) == [true, false])
  }

  @Test func fractionsBesideIntegersStop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor([1, 2]) * 0.5
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("0.5 is no whole number, but the tensor is int64 [2]"))
  }

  @Test func integerSumsAreExactAndWrap() {
    let x = Tensor([Int64(1 << 53) + 1, 0, 2, Int64.max], shape: [2, 2])
    #expect(x[0].sum().item(Int64.self) == 1 << 53 + 1)
    #expect(x.sum(along: [1]).array(of: Int64.self) == [1 << 53 + 1, Int64.min + 1])
    #expect(x.transposed().sum(along: [0], keepsAxes: true).shape == [1, 2])
  }

  @Test func divisionRoundsOnce() {
    #expect((Tensor([49.0]) / 49).scalar == 1)
    #expect((1 / -Tensor([0.0])).scalar == -.infinity)
  }

  @Test func nothingIsCloseToInfinityButItself() {
    #expect(!Tensor([1.0]).isClose(to: Tensor([Double.infinity])))
    #expect(!Tensor([Double.infinity]).isClose(to: Tensor([-Double.infinity])))
    #expect(Tensor([Double.infinity]).isClose(to: Tensor([Double.infinity])))
  }

  @Test func emptyProductsAndScalars() {
    #expect(matmul(Tensor.zeros([2, 3, 0]), Tensor.zeros([0, 4])) == Tensor.zeros([2, 3, 4]))
    #expect(linear(Tensor.zeros([2, 3, 4]), weight: Tensor.zeros([0, 4])).shape == [2, 3, 0])
    #expect(Tensor(3.0).flattened().shape == [1])
  }

  @Test func gradientsAtZero() {
    let x = Tensor([0.0, 0, 3, 4], shape: [2, 2]).tracked()
    let norm = gradients(of: x.norm(along: [1]).sum(), by: [x])[0]
    #expect(norm.array(of: Double.self) == [0, 0, 0.6, 0.8])
    #expect(gradients(of: x.power(0).sum(), by: [x])[0].array(of: Double.self) == [0, 0, 0, 0])
    let exponents = gradients(of: x.power(Tensor([0.0, 2])).sum(), by: [x])[0]
    #expect(exponents.array(of: Double.self) == [0, 0, 0, 8])
  }

  @Test func aRuleMayUseItsResultTwice() {
    // f = e^x by a rule that uses y: its second derivative is e^x too, and that of f x is e^x (x + 2).
    let x = Tensor([0.5]).tracked()
    let y = differentiable("exponential", [x]) {
      $0[0].exp()
    } backward: { dy, _, y in
      [dy * y]
    }
    let first = gradients(of: (y * x).sum(), by: [x], keepsTape: true)[0]
    let second = gradients(of: first.sum(), by: [x])[0]
    #expect((second - x.detached().exp() * 2.5).absolute().scalar < 1e-12)
  }

  @Test func gradientsByTargetsStop() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = softmaxCrossEntropy(
        Tensor([1.0, 2], shape: [1, 2]).tracked(), Tensor([0.5, 0.5], shape: [1, 2]).tracked())
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("softmaxCrossEntropy: there is no gradient by targets, of shape [1, 2]"))
  }

  @Test func optimizersCheckTheirStates() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let p = Parameter(Tensor([1.0, 2.0]))
      let optimizer = SGD([p], learningRate: 0.1, momentum: 0.9)
      optimizer.state.first = [Tensor([0, 0] as [Float])]
      p.value.sum().backward()
      optimizer.step()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("an optimizer's state is float32 [2], its parameter float64 [2]"))
  }

  @Test func paddingAndSlices() {
    let x = Tensor([1, 2, 3] as [Float])
    #expect(x.padded([(2, 1)], with: .reflect).array(of: Float.self) == [3, 2, 1, 2, 3, 2])
    #expect(x.padded([(2, 1)], with: .replicate).array(of: Float.self) == [1, 1, 1, 2, 3, 3])
    #expect(x.padded([(2, 1)], with: .circular).array(of: Float.self) == [2, 3, 1, 2, 3, 1])
    #expect(x.padded([(0, 1)], with: .constant(7)).array(of: Float.self) == [1, 2, 3, 7])
    let sums = x.addingSlices(Tensor([10, 20, 30] as [Float]), at: Tensor([2, 0, 2]))
    #expect(sums.array(of: Float.self) == [21, 2, 43])
    #expect(x.array(of: Float.self) == [1, 2, 3])
  }

  @Test func truncatedNormalNumbers() {
    let generator = RandomGenerator(seed: 9)
    let x = Tensor.truncatedNormal(
      [4000], mean: 3, deviation: 0.5, within: -1...1, dtype: .float64, generator: generator)
    #expect(x.min().scalar >= 2.5 && x.max().scalar <= 3.5)
    #expect(abs(x.mean().scalar - 3) < 0.02)
    // The variance of what lies within one deviation is 0.2911.
    #expect(abs(x.variance().scalar / 0.25 - 0.2911) < 0.02)
  }

  @Test func orthogonalKernels() {
    let kernel = Initialization.orthogonal.makeTensor([4, 2, 3, 3], fanIn: 18, fanOut: 36, dtype: .float64)
    let rows = kernel.reshaped([4, 18])
    #expect((matmul(rows, rows.transposed()) - .identity(4, dtype: .float64)).absolute().max().scalar < 1e-10)
  }
}
