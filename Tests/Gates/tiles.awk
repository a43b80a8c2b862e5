# Reads a demangled disassembly. For every specialisation of registerTile<rows, vectors, vector type, addressing, last
# vector> it finds the innermost loops that multiply and checks that they have rows x vectors multiply-adds (small tiles may
# be unrolled: twice or four times as many), no call, and no vector that goes to the stack or comes from it (a spilled sum
# costs half the speed). The full tile must be there, for both types and both addressings, and the tallest tiles four and
# six vectors wide, for both types. Prints one line per set and one per tile that fails; exits 1 on any failure.

function fail(text) {
  print "FAILED: " set ": " name ": " text
  failures++
}

# Judges the function whose instructions are in address[], code[] (1..count).
function judge(    i, j, k, target, loops, first, last, isInner, muls, wholes) {
  # Loops are jumps back; those that multiply and have no such loop inside.
  loops = wholes = 0
  for (i = 1; i <= count; i++) {
    if (code[i] !~ /^j/) continue
    split(code[i], words, " ")
    target = words[2]
    if (!(target in position) || position[target] > i) continue
    muls = 0
    for (j = position[target]; j <= i; j++) if (code[j] ~ /^v?(fmadd|mulp)/ || code[j] ~ /^vfmadd/) muls++
    if (muls == 0) continue
    loops++
    first[loops] = position[target]
    last[loops] = i
  }
  tiles++
  for (i = 1; i <= loops; i++) {
    isInner = 1
    for (k = 1; k <= loops; k++) {
      if (first[k] >= first[i] && last[k] <= last[i] && last[k] - first[k] < last[i] - first[i]) isInner = 0
      # Of a single row's, which are unrolled in several ways, the shortest.
      if (rows == 1 && last[k] - first[k] < last[i] - first[i]) isInner = 0
    }
    if (isInner) wholes += judge_loop(first[i], last[i])
  }
  if (wholes == 0) fail("no loop that multiplies all rows")
}

# Judges one loop; 1 if it has all rows of the tile.
function judge_loop(first, last,    i, fmas, muls, adds, calls, spills, copies, per_step) {
  fmas = muls = adds = calls = spills = 0
  # Without masked loads the last vector's elements are gathered on the stack.
  copies = no_masks && parts[5] == "PartialLastVector"
  for (i = first; i <= last; i++) {
    if (code[i] ~ /^vfmadd[0-9]+p/) fmas++
    if (code[i] ~ /^v?mulp/) muls++
    if (code[i] ~ /^v?addp/) adds++
    if (code[i] ~ /^call/) calls++
    # %rsp and %rbp; %rbp only where it is the frame pointer, that is, where the function moves %rsp into it.
    if (code[i] ~ /%[xyz]mm/ && code[i] ~ (framed ? "\\(%r[sb]p[,)]" : "\\(%rsp[,)]")) spills++
  }
  if (calls > 0) fail(calls " calls in the loop")
  if (spills > 0 && !copies) fail(spills " vectors go to the stack or come from it in the loop")
  if (fmas == 0 && muls == adds) fmas = muls # sets without fused multiply-add
  else if (fmas > 0 && muls + adds > 0) fail("multiplications that are not fused")
  per_step = rows * vectors
  # Tiles of pixels have loops that leave the first or the last row out.
  if (fmas == per_step - vectors && vectors == 2 && addressing == "StridedRows") return 0
  if (fmas != per_step && (is_full || (fmas != 2 * per_step && fmas != 4 * per_step)))
    fail(fmas " multiply-adds (" muls " mul, " adds " add) instead of " per_step)
  return 1
}

/^[0-9a-f]+ </ {
  if (name != "") judge()
  name = ""
  # Merged functions share code that a specialisation calls; only edge tiles of one vector are small enough for that.
  if ($0 !~ /registerTile/ || $0 !~ /<generic specialization </ ) next
  # Only the name of the function, not of a closure or a helper inside of it.
  text = $0
  sub(/^[0-9a-f]+ <generic specialization </, "", text)
  sub(/> of .*/, "", text)
  split(text, parts, ", ")
  rows = parts[1] + 0
  vectors = parts[2] + 0
  vector = parts[3]
  addressing = parts[4]
  sub(/.*\./, "", addressing)
  sub(/.*\./, "", parts[5])
  name = rows "x" vectors " " vector " " addressing " " parts[5]
  is_full = rows == full_rows && vectors == full_vectors
  if (is_full && parts[5] == "WholeLastVector") full[vector " " addressing] = 1
  if (vectors == 4 && rows == wide_rows || vectors == 6 && rows == six_rows) wide[vector " " vectors] = 1
  count = framed = 0
  split("", position)
  next
}

name != "" && /^ *[0-9a-f]+:/ {
  here = $1
  sub(/:$/, "", here)
  text = $0
  sub(/^ *[0-9a-f]+:[ \t]+/, "", text)
  count++
  position[here] = count
  code[count] = text
  if (text ~ /^mov +%rsp,%rbp/) framed = 1
}

END {
  if (name != "") judge()
  for (i in full) found++
  name = "full tile " full_rows "x" full_vectors
  if (found != 4) fail(found + 0 " specialisations instead of 4 (two types, two addressings)")
  for (i in wide) found_wide++
  name = "wide tiles " wide_rows "x4 and " six_rows "x6"
  if (found_wide != 4) fail(found_wide + 0 " specialisations instead of 4 (two types, two widths)")
  print "tiles: " set ": " tiles " register tiles read, " failures + 0 " failures"
  exit failures > 0
}
