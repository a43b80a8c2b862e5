/// Convolution, in its three directions.
public enum Convolution: Family {
  /// `kbench conv`.
  public static let name = "conv"

  /// For --help.
  public static let grammar = """
    A problem is a shape and options, SHAPE[:OPTION]...; n1c64h56w56k64f3s1p1 is a shape. Its letters:
      n samples (default: --batch)   c input channels   k output channels   g groups (default 1)
      d h w   size of the input; without d, or without d and h, there are fewer dimensions
      f kernel   s stride (default 1)   e dilation (default 1)   p padding before (default 0), q after (default: as p)
      t       transposed; then o is the output padding (default 0)
      f, s, e, p, q and o have one number for all dimensions, or one for each: f3x5
    Options:
      forward data weights   what is computed: y, dx or dw (default: --direction)
      nhwc nchw              order of x and y in memory, in 1 and 3 dimensions too (default: --layout)
      nchw2nhwc nhwc2nchw    x has the first order, y the second
      f32 f64                type of the data (default: --type)
      unpacked               weights, and their gradient, are in the framework's order; otherwise they are in the plan's
                             own form, to which bringing them is not measured
      bias                   forward adds a number to each channel of y, weights gives its gradient
      residual               forward adds a tensor
      relu leaky elu sigmoid tanh   forward applies an activation
      acc                    the result is added to what is there
      winograd               algorithms with larger rounding errors may be chosen
      alg=NAME               the algorithm (default: --algorithm, else the first that can)
    Examples: n8c256h14w14k256f3p1:data   n1c3h224w224k64f7s2p3:nchw:bias:relu   n1c32h112w112k32f3p1g32
    GFLOP/s count the taps in the padding too. --check computes at most 60 million products of each problem: larger ones
    are checked at sampled elements.
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

  /// oneDNN.
  public static let peers = OneDNN.known

  /// As problem strings name them.
  public static let directions = ConvolutionProblem.directions.map(\.name)
  /// As problem strings name them.
  public static let layouts = ConvolutionProblem.layouts.map(\.name)
  /// All that there are; which of them can do a problem is the engine's to say.
  public static let algorithms = ConvolutionProblem.algorithmNames
  /// Samples.
  public static let hasBatch = true

  /// Reads a problem string.
  public static func problem(_ text: String, defaults: ProblemDefaults) throws(ProblemError) -> any Problem {
    try ConvolutionProblem(text, defaults: defaults)
  }

  /// A path and a manner.
  public static let libraryGrammar =
    "NAME=PATH[:any|plain], a libdnnl; any: tensors in its own layout, plain: in the problem's. Default: any"

  /// Reads `NAME=PATH[:any|plain]`.
  public static func library(_ text: String) throws(ProblemError) -> PeerLibrary { try OneDNN.library(text) }

  /// Its version; throws for one that kbench does not know.
  public static func version(_ library: LoadedLibrary) throws(PeerError) -> String { try OneDNN(library).version }
}
