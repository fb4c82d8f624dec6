package supportbee_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// update is set by "go test . -update", which writes the generated parts of the documentation.
var update = flag.Bool("update", false, "write docs/operations.md and testdata/api.txt")

// operation is an entry of openapi.yaml, which is the list of all operations.
type operation struct {
	method  string
	path    string
	name    string // of the method, such as "Tickets.Get"
	status  string // of success
	summary string
}

// String returns the method, the path and the name, as the doc comments and the desk have them.
func (o operation) String() string { return o.method + " " + o.path + " " + o.name }

// operations reads openapi.yaml, in its order.
func operations(t *testing.T) []operation {
	t.Helper()
	data, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	var document struct {
		Paths yaml.Node `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(data, &document))
	var list []operation
	for path, item := range members(&document.Paths) {
		for method, node := range members(item) {
			if method == "parameters" {
				continue
			}
			var described struct {
				OperationID string               `yaml:"operationId"`
				Summary     string               `yaml:"summary"`
				Responses   map[string]yaml.Node `yaml:"responses"`
			}
			require.NoError(t, node.Decode(&described))
			o := operation{method: strings.ToUpper(method), path: path, name: described.OperationID, summary: described.Summary}
			for status := range described.Responses {
				if strings.HasPrefix(status, "2") {
					assert.Empty(t, o.status, "%s has more than one status of success", o)
					o.status = status
				}
			}
			assert.NotEmpty(t, o.status, o)
			list = append(list, o)
		}
	}
	require.Len(t, list, 50)
	return list
}

// members returns an iterator over the members of a mapping, in their order.
func members(mapping *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if !yield(mapping.Content[i].Value, mapping.Content[i+1]) {
				return
			}
		}
	}
}

func TestOperationsAreListedInTheDocumentation(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	page.WriteString("# Operations\n\nThis table is generated from [openapi.yaml](../openapi.yaml) by `go test . -update`.\n\n")
	page.WriteString("| Method | Path | Operation | Success | Description |\n|---|---|---|---|---|\n")
	for _, o := range operations(t) {
		fmt.Fprintf(&page, "| %s | `%s` | `%s` | %s | %s |\n", o.method, o.path, o.name, o.status, o.summary)
	}
	if *update {
		require.NoError(t, os.WriteFile("docs/operations.md", []byte(page.String()), 0o644))
	}
	got, err := os.ReadFile("docs/operations.md")
	require.NoError(t, err)
	assert.Equal(t, page.String(), string(got), "run go test . -update")
}

// packageFiles parses the package without its tests.
func packageFiles(t *testing.T) []*ast.File {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	require.Greater(t, len(files), 15)
	return files
}

// receiver returns the name of the type that a method belongs to.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	expr := f.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	if name, ok := expr.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

func TestDocCommentsNameEveryOperation(t *testing.T) {
	t.Parallel()
	api := regexp.MustCompile(`(?m)^API: (\w+) (\S+)$`)
	var documented, want []string
	for _, o := range operations(t) {
		want = append(want, o.String())
	}
	for _, file := range packageFiles(t) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Doc == nil {
				continue
			}
			for _, found := range api.FindAllStringSubmatch(f.Doc.Text(), -1) {
				service, isService := strings.CutSuffix(receiver(f), "Service")
				assert.True(t, isService, f.Name.Name)
				op := service + "." + f.Name.Name
				documented = append(documented, operation{method: found[1], path: found[2], name: op}.String())
				assert.Contains(t, stringsIn(file, f), op, "the operation has another name")
				assert.Contains(t, stringsIn(file, f), found[2], "%s has another route", op)
			}
		}
	}
	assert.ElementsMatch(t, want, documented)
}

// stringsIn returns the string literals of a function, and of the unexported methods of its
// receiver that it calls.
func stringsIn(file *ast.File, f *ast.FuncDecl) []string {
	var list []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				text, _ := strconv.Unquote(n.Value)
				list = append(list, text)
			}
		case *ast.SelectorExpr:
			for _, decl := range file.Decls {
				called, ok := decl.(*ast.FuncDecl)
				if ok && !n.Sel.IsExported() && called.Name.Name == n.Sel.Name && receiver(called) == receiver(f) && called != f {
					list = append(list, stringsIn(file, called)...)
				}
			}
		}
		return true
	})
	return list
}

func TestEverythingExportedIsDocumented(t *testing.T) {
	t.Parallel()
	for _, file := range packageFiles(t) {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					assertDocumented(t, d.Name.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() {
							assertDocumented(t, s.Name.Name, cmpDoc(s.Doc, d.Doc))
						}
					case *ast.ValueSpec:
						if s.Names[0].IsExported() && s.Comment == nil {
							assert.NotNil(t, cmpDoc(s.Doc, d.Doc), s.Names[0].Name)
						}
					}
				}
			}
		}
	}
}

func cmpDoc(a, b *ast.CommentGroup) *ast.CommentGroup {
	if a != nil {
		return a
	}
	return b
}

func assertDocumented(t *testing.T, name string, doc *ast.CommentGroup) {
	t.Helper()
	if assert.NotNil(t, doc, "%s has no doc comment", name) {
		assert.True(t, strings.HasPrefix(doc.Text(), name+" "), "the doc comment of %s begins %.40q", name, doc.Text())
	}
}

// The dependencies can be replaced without anybody's code changing: none of their types shows.
func TestNoDependencyShowsInTheAPI(t *testing.T) {
	t.Parallel()
	foreign := []string{"resty", "jsonv2", "jsontext", "transport"}
	check := func(name string, node ast.Node) {
		ast.Inspect(node, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := selector.X.(*ast.Ident); ok {
					assert.False(t, slices.Contains(foreign, pkg.Name), "%s shows %s.%s", name, pkg.Name, selector.Sel.Name)
				}
			}
			return true
		})
	}
	for _, file := range packageFiles(t) {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					check(d.Name.Name, d.Type)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					s, ok := spec.(*ast.TypeSpec)
					if !ok || !s.Name.IsExported() {
						continue
					}
					structure, ok := s.Type.(*ast.StructType)
					if !ok {
						check(s.Name.Name, s.Type)
						continue
					}
					for _, field := range structure.Fields.List {
						if len(field.Names) == 0 || field.Names[0].IsExported() {
							check(s.Name.Name, field.Type)
						}
					}
				}
			}
		}
	}
}
