// Runs the mesh profiles of the Gateway API conformance suite: its own echo pods, with a waypoint in front of them.
package suite

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/yaml"
)

const waypointName = "waypoint"

func TestConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	conformanceSuite, err := suite.NewConformanceTestSuite(options)
	if err != nil {
		t.Fatal(err)
	}
	conformanceSuite.Setup(t, tests.ConformanceTests)
	for _, namespace := range []string{suite.MeshNamespace, suite.MeshConsumerNamespace} {
		addWaypoint(t, options.Client, namespace)
	}
	// Before Run: the suite gives its report only once what Run registers was cleaned up.
	t.Cleanup(func() { writeReport(t, conformanceSuite, options.ReportOutputPath) })
	if err := conformanceSuite.Run(t, tests.ConformanceTests); err != nil {
		t.Fatal(err)
	}
}

// addWaypoint puts a waypoint in front of a namespace's services and waits until it serves.
func addWaypoint(t *testing.T, c client.Client, namespace string) {
	t.Helper()
	gateway := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Name: waypointName, Namespace: namespace},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "istio-waypoint",
			Listeners:        []gatewayv1.Listener{{Name: "mesh", Port: 15008, Protocol: "HBONE"}},
		},
	}
	ctx := context.Background()
	if err := c.Create(ctx, gateway); err != nil {
		t.Fatal(err)
	}
	programmed := func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(gateway), gateway); err != nil {
			return false, err
		}
		return apimeta.IsStatusConditionTrue(gateway.Status.Conditions, "Programmed"), nil
	}
	if err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 2*time.Minute, true, programmed); err != nil {
		t.Fatalf("the waypoint of %s is not ready: %v", namespace, err)
	}
	object := &corev1.Namespace{}
	if err := c.Get(ctx, client.ObjectKey{Name: namespace}, object); err != nil {
		t.Fatal(err)
	}
	before := client.MergeFrom(object.DeepCopy())
	object.Labels["istio.io/use-waypoint"] = waypointName
	if err := c.Patch(ctx, object, before); err != nil {
		t.Fatal(err)
	}
}

func writeReport(t *testing.T, conformanceSuite *suite.ConformanceTestSuite, path string) {
	t.Helper()
	if path == "" {
		return
	}
	report, err := conformanceSuite.Report()
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
