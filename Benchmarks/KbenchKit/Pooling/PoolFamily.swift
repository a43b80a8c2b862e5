/// Pooling.
public enum Pool: Family {
  /// `kbench pool`.
  public static let name = "pool"

  /// For --help.
  public static let grammar = """
    A problem is KIND:SIZES[:OPTION]..., for example max:n8c64h112w112k3s2p1.
    KIND is max, avg (padding not counted), avgpad (padding counted) or lpP (the norm with p = P, e.g. lp2).
    SIZES are letters with numbers:
      n c           batch and channels (default 1)
      d h w         the input: w alone is 1-D, h w 2-D, d h w 3-D
      k             the window; kh3kw5 and so on where dimensions differ, as for all that follow
      s             the stride (default: the window)
      p             the padding on both sides (default 0); a is that behind, where it differs
      e             the dilation, of max only (default 1)
      o             the size of the output, which makes the pooling adaptive: in place of k s p e
    Options:
      nchw nhwc             the layout (default: --layout, else nchw)
      forward backward      the direction (default: --direction, else forward); a maximum goes back by its indices
      floor ceil strict     rounding of the output's size (default floor)
      idx i64               forward: with the indices of a maximum; as Int64
      global                the window is the whole input
      f32 f64               type of the data (default: --type)
    Examples: max:n64c6h28w28k2   avg:n8c2048h7w7:global:nhwc:backward   lp2:c4d8h8w8k3s1p1:f64
    """

  /// What --direction and --layout choose between.
  public static let choices = [
    FamilyChoice("direction", ["forward", "backward"]), FamilyChoice("layout", ["nchw", "nhwc"]),
  ]

  /// The pooling layers of networks; "default" is what kbench shows first.
  public static let presets = [
    Preset(
      "default",
      [
        "max:n64c6h28w28k2", "max:n64c16h10w10k2", "max:n8c64h112w112k3s2p1", "max:n8c64h112w112k3s2p1:nhwc",
        "max:n8c192h28w28k3s1p1:nhwc", "avg:n8c2048h7w7:global:nhwc",
      ]),
    Preset("lenet", ["max:n64c6h28w28k2", "max:n64c16h10w10k2", "avg:n64c6h28w28k2", "avg:n64c16h10w10k2"]),
    Preset("alexnet", ["max:n8c64h55w55k3s2", "max:n8c192h27w27k3s2", "max:n8c256h13w13k3s2", "avg:n8c256h6w6o6"]),
    Preset(
      "vgg16",
      [
        "max:n8c64h224w224k2", "max:n8c128h112w112k2", "max:n8c256h56w56k2", "max:n8c512h28w28k2", "max:n8c512h14w14k2",
      ]),
    Preset("resnet50", ["max:n8c64h112w112k3s2p1", "avg:n8c2048h7w7:global"]),
    Preset(
      "googlenet",
      [
        "max:n8c64h112w112k3s2:ceil", "max:n8c192h56w56k3s2:ceil", "max:n8c192h28w28k3s1p1",
        "max:n8c480h28w28k3s2:ceil",
        "max:n8c512h14w14k3s1p1", "max:n8c832h14w14k2s2:ceil", "max:n8c832h7w7k3s1p1", "avg:n8c1024h7w7:global",
      ]),
    Preset("mobilenet", ["avg:n8c1024h7w7:global", "avg:n8c1280h7w7:global"]),
  ]

  /// None is known to be loadable as one function.
  public static let peers: [PeerLibrary] = []

  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try PoolProblem(text, type: type)
  }
}
