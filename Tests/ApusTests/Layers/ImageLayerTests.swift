import Apus
import Testing

/// Layers of images: fusion, folding, orders in memory, weights that are not shared.
@Suite struct ImageLayerTests {
  static func largestDifference(_ a: Tensor, _ b: Tensor) -> Double { (a - b).absolute().max().scalar }

  @Test func foldingIsNormalisingAfterwards() {
    RandomGenerator(seed: 3).use {
      // Planes, and channels last.
      for (hasBias, channels) in [(false, 5), (true, 5), (false, 8), (true, 8)] {
        let convolution = Conv2D(
          inputChannels: 3, outputChannels: channels, kernelSize: 3, padding: [1], hasBias: hasBias, dtype: .float64)
        let norm = BatchNorm(channels, dtype: .float64)
        let x = Tensor.normal([2, 3, 6, 7], dtype: .float64)
        // Statistics that are not 0 and 1, and numbers to be learned that are not 1 and 0.
        for _ in 0..<3 { _ = norm(convolution(x)) }
        norm.weight.value = Tensor.uniform([channels], in: 0.5..<2, dtype: .float64)
        norm.bias.value = Tensor.normal([channels], dtype: .float64)
        norm.evaluate()
        let folded = convolution.folding(norm)
        #expect(Self.largestDifference(folded(x), norm(convolution(x))) < 1e-12)
        let residual = Tensor.normal([2, channels, 6, 7], dtype: .float64)
        let fused = withoutGradients { folded(x, residual: residual, activation: .relu) }
        #expect(Self.largestDifference(fused, (norm(convolution(x)) + residual).relu()) < 1e-12)
      }
    }
  }

  @Test func packedWeightsFollowTheirParameter() {
    RandomGenerator(seed: 4).use {
      let convolution = Conv2D(inputChannels: 8, outputChannels: 16, kernelSize: 3)
      let x = Tensor.normal([1, 8, 9, 9])
      let optimizer = SGD(convolution.parameters, learningRate: 0.1)
      for _ in 0..<3 {
        // Evaluation keeps packed weights; a step writes the parameter in place.
        let evaluated = withoutGradients { convolution(x) }
        #expect(withoutGradients { convolution(x) } == evaluated)
        let trained = convolution(x)
        #expect(trained == evaluated)
        trained.squared().mean().backward()
        optimizer.step()
      }
    }
  }

  @Test func orderInMemoryNeverShows() {
    RandomGenerator(seed: 5).use {
      let x = Tensor.normal([2, 3, 8, 8], dtype: .float64)
      let convolution = Conv2D(inputChannels: 3, outputChannels: 8, kernelSize: 3, dtype: .float64)
      let y = convolution(x)
      // What a convolution gives lies channels last, if a pixel fills a vector; what is made of its numbers does not.
      let copy = Tensor(y.array(of: Double.self), shape: y.shape)
      let other = Tensor.normal(y.shape, dtype: .float64)
      let norm = BatchNorm(8, dtype: .float64)
      let functions: [(Tensor) -> Tensor] = [
        { $0.relu() }, { $0 * 2 + 1 }, { $0 + other }, { other - $0 }, { $0 * $0 }, { $0.maxPooled(window: [2]) },
        { $0.averagePooled(window: [3], stride: [2], padding: [1]) }, { $0.adaptiveAveragePooled(to: [1]) },
        { norm($0) }, { prelu($0, slopes: Tensor.range(to: 8, dtype: .float64) * 0.1) },
        { localResponseNormalization($0, size: 3) },
        { $0.sum(along: [1]) }, { $0.flattened(from: 1) },
        { $0.softmax(along: 1) }, { concatenate([$0, $0 * 2], along: 1) }, { concatenate([$0, other], along: 1) },
        { $0.permuted([3, 1, 0, 2]) }, { $0[0, 1] }, { $0.cumulativeSum(along: 2) }, { $0.max(along: [1, 3]) },
        { groupNormalization($0, groups: 2) }, { layerNormalization($0, axes: 2) },
      ]
      for (i, function) in functions.enumerated() {
        let (a, b) = (y.detached().tracked(), copy.tracked())
        let (u, v) = (function(a), function(b))
        #expect(Self.largestDifference(u, v) < 1e-12, "function \(i)")
        let weights = Tensor.normal(u.shape, dtype: .float64)
        let da = gradients(of: (u * weights).sum(), by: [a])[0]
        let db = gradients(of: (v * weights).sum(), by: [b])[0]
        #expect(Self.largestDifference(da, db) < 1e-12, "gradient of function \(i)")
      }
    }
  }

  @Test func unsharedWeightsThatAreEqualAreAConvolution() {
    RandomGenerator(seed: 6).use {
      let local = LocallyConnected2D(
        inputChannels: 2, outputChannels: 3, inputSize: (5, 6), kernelSize: (3, 2), stride: (2, 1), padding: (1, 0),
        dtype: .float64)
      #expect(local.outputSize == [3, 5])
      #expect(local.parameterCount == 15 * 12 * 3 + 3 * 15)
      let kernels = Tensor.normal([3, 2, 3, 2], dtype: .float64)
      let bias = Tensor.normal([3], dtype: .float64)
      local.weight.value = kernels.reshaped([1, 3, 12]).permuted([0, 2, 1]).broadcast(to: [15, 12, 3])
      local.bias?.value = bias.reshaped([3, 1, 1]).broadcast(to: [3, 3, 5])
      let x = Tensor.normal([4, 2, 5, 6], dtype: .float64)
      let shared = convolution(x, weight: kernels, bias: bias, stride: [2, 1], padding: [1, 0])
      #expect(Self.largestDifference(local(x), shared) < 1e-12)
    }
  }

  @Test func fullyConnectedToShared() {
    // A first course's table: 32 x 32 x 3 images and six maps of 28 x 28.
    #expect(Conv2D(inputChannels: 3, outputChannels: 6, kernelSize: 5).parameterCount == 6 * (75 + 1))
    let local = LocallyConnected2D(
      inputChannels: 3, outputChannels: 6, inputSize: (32, 32), kernelSize: (5, 5))
    #expect(local.parameterCount == 28 * 28 * 6 * (75 + 1))
  }
}
