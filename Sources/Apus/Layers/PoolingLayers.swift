/// What the pooling layers share: a function of N x C x spatial sizes.
public class PoolingLayer: Module {
  private let function: (Tensor) -> Tensor

  init(_ function: @escaping (Tensor) -> Tensor) { self.function = function }

  /// The pooled tensor.
  public final func callAsFunction(_ x: Tensor) -> Tensor { reported(function(x)) }

  static func check(_ x: Tensor, _ rank: Int, _ name: StaticString) {
    require(x.rank == rank + 2, "\(name) takes \(rank + 2) dimensions, but x has the shape \(x.shape)")
  }
}

/// The largest element of each window of N x C x L; a stride of nil is the window.
public final class MaxPool1D: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(
    _ window: Int..., stride: [Int]? = nil, padding: [Int] = [0], dilation: [Int] = [1],
    rounding: WindowRounding = .floor
  ) {
    super.init { x in
      PoolingLayer.check(x, 1, "MaxPool1D")
      return x.maxPooled(window: window, stride: stride, padding: padding, dilation: dilation, rounding: rounding)
    }
  }
}

/// The mean of each window of N x C x L; a stride of nil is the window.
public final class AvgPool1D: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(
    _ window: Int..., stride: [Int]? = nil, padding: [Int] = [0], countsPadding: Bool = true,
    rounding: WindowRounding = .floor
  ) {
    super.init { x in
      PoolingLayer.check(x, 1, "AvgPool1D")
      return x.averagePooled(
        window: window, stride: stride, padding: padding, countsPadding: countsPadding, rounding: rounding)
    }
  }
}

/// The largest element of each window of N x C x H x W; a stride of nil is the window.
public final class MaxPool2D: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(
    _ window: Int..., stride: [Int]? = nil, padding: [Int] = [0], dilation: [Int] = [1],
    rounding: WindowRounding = .floor
  ) {
    super.init { x in
      PoolingLayer.check(x, 2, "MaxPool2D")
      return x.maxPooled(window: window, stride: stride, padding: padding, dilation: dilation, rounding: rounding)
    }
  }
}

/// The mean of each window of N x C x H x W; a stride of nil is the window.
public final class AvgPool2D: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(
    _ window: Int..., stride: [Int]? = nil, padding: [Int] = [0], countsPadding: Bool = true,
    rounding: WindowRounding = .floor
  ) {
    super.init { x in
      PoolingLayer.check(x, 2, "AvgPool2D")
      return x.averagePooled(
        window: window, stride: stride, padding: padding, countsPadding: countsPadding, rounding: rounding)
    }
  }
}

/// The largest element of each window of N x C x D x H x W; a stride of nil is the window.
public final class MaxPool3D: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(
    _ window: Int..., stride: [Int]? = nil, padding: [Int] = [0], dilation: [Int] = [1],
    rounding: WindowRounding = .floor
  ) {
    super.init { x in
      PoolingLayer.check(x, 3, "MaxPool3D")
      return x.maxPooled(window: window, stride: stride, padding: padding, dilation: dilation, rounding: rounding)
    }
  }
}

/// The mean of each window of N x C x D x H x W; a stride of nil is the window.
public final class AvgPool3D: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(
    _ window: Int..., stride: [Int]? = nil, padding: [Int] = [0], countsPadding: Bool = true,
    rounding: WindowRounding = .floor
  ) {
    super.init { x in
      PoolingLayer.check(x, 3, "AvgPool3D")
      return x.averagePooled(
        window: window, stride: stride, padding: padding, countsPadding: countsPadding, rounding: rounding)
    }
  }
}

/// The mean of each of `size` windows along each spatial dimension; size 1 is global pooling.
public final class AdaptiveAvgPool: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(_ size: Int...) { super.init { $0.adaptiveAveragePooled(to: size) } }
}

/// The largest element of each of `size` windows along each spatial dimension; size 1 is global pooling.
public final class AdaptiveMaxPool: PoolingLayer {
  /// A layer; one number is for all dimensions.
  public init(_ size: Int...) { super.init { $0.adaptiveMaxPooled(to: size) } }
}
