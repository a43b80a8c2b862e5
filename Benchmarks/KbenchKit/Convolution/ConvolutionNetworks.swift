/// The distinct convolution layers of well-known networks, in their order, without a batch.
enum ConvolutionNetworks {
  /// LeNet-5. Y. LeCun and others, "Gradient-based learning applied to document recognition", 1998: C1, C3 (with all of
  /// its connections) and C5.
  static let lenet = ["c1h32w32k6f5", "c6h14w14k16f5", "c16h5w5k120f5"]

  /// A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with deep convolutional neural networks", 2012;
  /// its two halves as groups, its input 227 wide, which is what its sizes add up to.
  static let alexnet = [
    "c3h227w227k96f11s4", "c96h27w27k256f5p2g2", "c256h13w13k384f3p1", "c384h13w13k384f3p1g2", "c384h13w13k256f3p1g2",
  ]

  /// K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014,
  /// configuration D.
  static let vgg16 = [
    (3, 224, 64), (64, 224, 64), (64, 112, 128), (128, 112, 128), (128, 56, 256), (256, 56, 256), (256, 28, 512),
    (512, 28, 512), (512, 14, 512),
  ].map { c, size, k in "c\(c)h\(size)w\(size)k\(k)f3p1" }

  /// K. He and others, "Deep residual learning for image recognition", 2015; where a stage begins, the 3x3 layer has the
  /// stride, as in PyTorch and most measurements, not the 1x1 layer before it as in the paper.
  static let resnet50: [String] = {
    var layers = ["c3h224w224k64f7s2p3"]
    var channels = 64
    for (stage, width) in [64, 128, 256, 512].enumerated() {
      // The stage's input is as large as the last one's output.
      let input = [56, 56, 28, 14][stage]
      let output = [56, 28, 14, 7][stage]
      let stride = input == output ? "" : "s2"
      layers += [
        "c\(channels)h\(input)w\(input)k\(width)f1", "c\(width)h\(input)w\(input)k\(width)f3\(stride)p1",
        "c\(width)h\(output)w\(output)k\(4 * width)f1", "c\(channels)h\(input)w\(input)k\(4 * width)f1\(stride)",
        "c\(4 * width)h\(output)w\(output)k\(width)f1", "c\(width)h\(output)w\(output)k\(width)f3p1",
      ]
      channels = 4 * width
    }
    return distinct(layers)
  }()

  /// C. Szegedy and others, "Going deeper with convolutions", 2014, with the two auxiliary classifiers.
  static let googlenet: [String] = {
    var layers = ["c3h224w224k64f7s2p3", "c64h56w56k64f1", "c64h56w56k192f3p1"]
    // Size, input; 1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, after pooling: table 1.
    let modules = [
      [28, 192, 64, 96, 128, 16, 32, 32], [28, 256, 128, 128, 192, 32, 96, 64], [14, 480, 192, 96, 208, 16, 48, 64],
      [14, 512, 160, 112, 224, 24, 64, 64], [14, 512, 128, 128, 256, 24, 64, 64], [14, 512, 112, 144, 288, 32, 64, 64],
      [14, 528, 256, 160, 320, 32, 128, 128], [7, 832, 256, 160, 320, 32, 128, 128],
      [7, 832, 384, 192, 384, 48, 128, 128],
    ]
    for m in modules {
      let image = "h\(m[0])w\(m[0])"
      layers += [
        "c\(m[1])\(image)k\(m[2])f1", "c\(m[1])\(image)k\(m[3])f1", "c\(m[3])\(image)k\(m[4])f3p1",
        "c\(m[1])\(image)k\(m[5])f1", "c\(m[5])\(image)k\(m[6])f5p2", "c\(m[1])\(image)k\(m[7])f1",
      ]
    }
    layers += ["c512h4w4k128f1", "c528h4w4k128f1"]
    return distinct(layers)
  }()

  /// A. Howard and others, "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017,
  /// width 1: depthwise layers are those with groups.
  static let mobilenet: [String] = {
    var layers = ["c3h224w224k32f3s2p1"]
    // Channels, size and stride of a depthwise layer, and the channels that the 1x1 layer behind it makes.
    let blocks = [
      (32, 112, 1, 64), (64, 112, 2, 128), (128, 56, 1, 128), (128, 56, 2, 256), (256, 28, 1, 256), (256, 28, 2, 512),
      (512, 14, 1, 512), (512, 14, 2, 1024), (1024, 7, 1, 1024),
    ]
    for (c, size, stride, k) in blocks {
      layers.append("c\(c)h\(size)w\(size)k\(c)f3\(stride == 1 ? "" : "s\(stride)")p1g\(c)")
      layers.append("c\(c)h\(size / stride)w\(size / stride)k\(k)f1")
    }
    return layers
  }()

  private static func distinct(_ layers: [String]) -> [String] {
    var seen: Set<String> = []
    return layers.filter { seen.insert($0).inserted }
  }
}
