/// Convolution, in its three directions.
public enum Convolution: Family {
  /// `kbench conv`.
  public static let name = "conv"

  /// For --help.
  public static let grammar = """
    A problem is SHAPE[:OPTION]..., for example n1c64h56w56k64f3s1p1:data.
    SHAPE is letters with numbers:
      n c k    samples (default: --batch), input channels, output channels
      d h w    the input: w alone is 1-D, h w 2-D, d h w 3-D
      f s e    kernel, stride (default 1), dilation (default 1)
      p q      padding before (default 0) and after (default: as before)
      g        groups (default 1); as many as channels: depthwise
      t o      t alone: transposed; then o is the output padding (default 0)
      f s e p q o have one number, or one for each dimension: f3x5
    Options:
      forward data weights   y, dx or dw (default: --direction, else forward)
      nhwc nchw              order of x and y (default: --layout, else nhwc)
      nchw2nhwc nhwc2nchw    x has the first order, y the second
      f32 f64                type of the data (default: --type)
      unpacked               weights or dw are in the framework's order; else in
                             the plan's own, packed ahead, which is not measured
      bias                   forward adds it, weights gives its gradient
      residual               forward adds a tensor
      relu leaky elu sigmoid tanh   forward applies an activation
      acc                    the result is added to what is there
      winograd               allows algorithms with larger rounding errors
      strict                 a stride must divide its way
      alg=NAME               the algorithm (default: --algorithm): direct,
                             implicit_gemm, pointwise, depthwise, planes, winograd
    Examples: c3h224w224k64f7s2p3:nchw:bias:relu   n8c32h112w112k32f3p1g32:weights
    GFLOP/s count taps in the padding too. --check computes at most 60 million
    products of a problem: larger ones are checked at sampled elements, so that
    the layers of a network take some seconds.
    """

  /// Layers of networks; "default" is what kbench shows first.
  public static let presets = [
    Preset(
      "default",
      [
        "c3h224w224k64f7s2p3", "c3h32w32k32f5p2", "c64h56w56k64f3p1", "c64h56w56k256f1", "c256h56w56k512f1s2",
        "c128h28w28k128f3p1", "c256h14w14k256f3p1", "c512h7w7k512f3p1", "c512h7w7k2048f1", "c128h112w112k128f3p1",
        "c64h112w112k64f3s2p1g64", "c512h14w14k512f3p1g512",
      ]),
    Preset("lenet", ConvolutionNetworks.lenet), Preset("alexnet", ConvolutionNetworks.alexnet),
    Preset("vgg16", ConvolutionNetworks.vgg16), Preset("resnet50", ConvolutionNetworks.resnet50),
    Preset("googlenet", ConvolutionNetworks.googlenet), Preset("mobilenet", ConvolutionNetworks.mobilenet),
  ]

  /// What --direction, --layout and --algorithm choose between. Which algorithms can do a problem is the engine's to say.
  public static let choices = [
    FamilyChoice("direction", ConvolutionProblem.directions.map(\.name)),
    FamilyChoice("layout", ConvolutionProblem.layouts.map(\.name)),
    FamilyChoice("algorithm", ConvolutionProblem.algorithmNames, prefix: "alg="),
  ]
  /// Yes.
  public static let hasBatch = true

  /// oneDNN.
  public static let peers = OneDNN.known

  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try ConvolutionProblem(text, type: type)
  }

  /// A path and a manner.
  public static let libraryGrammar =
    "NAME=PATH[:any|plain], a libdnnl; any: tensors in its own layout, plain: in the problem's. Default: any"

  /// Reads `NAME=PATH[:any|plain]`.
  public static func library(_ text: String) throws(ProblemError) -> PeerLibrary { try OneDNN.library(text) }

  /// Its version; throws for one that kbench does not know.
  public static func version(_ library: LoadedLibrary) throws(PeerError) -> String { try OneDNN(library).version }
}
