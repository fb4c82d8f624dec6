package supportbee_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The exported API is listed in testdata/api.txt, so that each change of it is a decision.
func TestTheExportedAPIIsAsListed(t *testing.T) {
	t.Parallel()
	var listing bytes.Buffer
	for _, folder := range []string{".", "supportbeetest"} {
		listExported(t, &listing, folder)
	}
	const path = "testdata/api.txt"
	if *update {
		require.NoError(t, os.WriteFile(path, listing.Bytes(), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, listing.String(), string(got), "if the change is intended, run go test . -update, and name it in CHANGELOG.md")
}

// listExported writes the exported declarations of a package without their comments.
func listExported(t *testing.T, out *bytes.Buffer, folder string) {
	t.Helper()
	files := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	var parsed []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, 0)
		require.NoError(t, err)
		parsed = append(parsed, file)
	}
	pkg, err := doc.NewFromFiles(files, parsed, "github.com/supportbee-go/supportbee/"+folder)
	require.NoError(t, err)
	out.WriteString("package " + pkg.Name + "\n")
	var lines []string
	add := func(node ast.Node) {
		var text bytes.Buffer
		require.NoError(t, (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}).Fprint(&text, files, node))
		lines = append(lines, strings.TrimSpace(text.String()))
	}
	values := func(list []*doc.Value) {
		for _, value := range list {
			add(value.Decl)
		}
	}
	functions := func(list []*doc.Func) {
		for _, f := range list {
			f.Decl.Body = nil
			add(f.Decl)
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	functions(pkg.Funcs)
	for _, typ := range pkg.Types {
		add(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		functions(typ.Funcs)
		functions(typ.Methods)
	}
	for _, line := range lines {
		out.WriteString("\n" + line + "\n")
	}
	out.WriteString("\n")
}
