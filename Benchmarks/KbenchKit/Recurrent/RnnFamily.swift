/// Recurrent layers.
public enum Rnn: Family {
  /// `kbench rnn`.
  public static let name = "rnn"

  /// For --help.
  public static let grammar = """
    A problem is CELL:SIZES[:OPTION]..., for example lstm:T=25,B=16,I=512,H=512,L=1:train.
    CELL is rnn (tanh), rnnrelu, lstm, gru (reset after the product) or gruv1 (reset before it).
    SIZES are NAME=NUMBER, separated by commas:
      T B    steps and sequences (default 1)
      I H    numbers of a step, and units (default of I: H)
      L P    layers (default 1); projection of an LSTM (default 0: none)
    Options:
      forward backward       forward, or all gradients (default: --direction, else forward)
      train                  forward saves what backward needs
      reverse concat sum     the order of the steps: reverse, or both ways, side by side or added
      bias0 bias1            no bias, or one (default: two)
      peephole clipX         of an LSTM: peepholes; the cell state stays within X
      batchmajor             x and y are (B, T, size)
      unpacked               each run packs its weights; else packed ahead, which is not measured
      f32 f64                type of the data (default: --type)
    Examples: lstm:T=25,B=1,H=512   gru:T=50,B=32,I=512,H=512,L=2:backward   lstm:T=100,B=8,H=1024,P=512:concat
    """

  /// What --direction chooses between.
  public static let choices = [FamilyChoice("direction", ["forward", "backward"])]

  /// "default" is what kbench shows first; "peers" are the shapes that other libraries were measured with.
  public static let presets = [
    Preset(
      "default",
      [
        "lstm:T=25,B=1,H=512", "lstm:T=25,B=16,H=512", "lstm:T=25,B=16,H=512:train", "lstm:T=25,B=16,H=512:backward",
        "gru:T=25,B=1,H=512", "gru:T=25,B=16,H=512", "gru:T=25,B=16,H=512:backward", "rnn:T=25,B=16,H=512",
      ]),
    Preset(
      "small",
      [
        "rnn:T=10,B=1,H=32", "lstm:T=10,B=1,H=64", "lstm:T=28,B=16,I=28,H=128", "gru:T=10,B=4,H=64",
        "gruv1:T=10,B=4,H=64", "lstm:T=1,B=1,H=256",
      ]),
    Preset(
      "speech",
      [
        "lstm:T=100,B=1,I=80,H=512,L=2:concat", "lstm:T=100,B=8,I=320,H=1024,P=512", "gru:T=100,B=8,I=161,H=800:sum",
      ]),
    Preset(
      "translation",
      [
        "lstm:T=50,B=16,H=512,L=2", "lstm:T=50,B=16,H=1024", "lstm:T=1,B=16,I=1024,H=512",
        "gru:T=50,B=16,H=1024:concat",
      ]
    ),
    Preset(
      "peers",
      ["lstm", "gru", "rnn"].flatMap { cell in
        [(1, 512), (16, 512), (32, 512), (64, 256), (1, 1024), (64, 1024)].map { "\(cell):T=25,B=\($0.0),H=\($0.1)" }
      }),
  ]

  /// oneDNN.
  public static let peers = [
    PeerLibrary(
      name: "oneDNN", paths: ["libdnnl.so.3", "libdnnl.so"], symbol: "dnnl_version",
      howToInstall: "Debian: apt-get install libdnnl-dev")
  ]

  /// Reads a problem string.
  public static func problem(_ text: String, type: ElementType) throws(ProblemError) -> any Problem {
    try RnnProblem(text, type: type)
  }

  /// A path.
  public static let libraryGrammar = "NAME=PATH, a libdnnl"

  /// Reads `NAME=PATH`.
  public static func library(_ text: String) throws(ProblemError) -> PeerLibrary { try OneDNN.library(text) }

  /// Its version; throws for one that kbench does not know.
  public static func version(_ library: LoadedLibrary) throws(PeerError) -> String {
    let oneDNN = try OneDNN(library)
    if oneDNN.major != 3 {
      throw PeerError("a libdnnl \(oneDNN.version) was, but kbench knows the recurrent layers of version 3")
    }
    return oneDNN.version
  }
}
